"""The causes of failed rollouts: their exit codes, their order, and the table that lists them."""

from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import CAUSES, Cause, RolloutFailure


def test_every_cause_has_its_own_exit_code_and_an_order() -> None:
    """Exit codes are a contract with CI: one per cause from 20 on, and every cause has a rank."""
    defined = [value for value in vars(causes).values() if isinstance(value, Cause)]
    assert sorted(cause.code for cause in defined) == list(range(20, 20 + len(defined)))
    assert len({cause.id for cause in defined}) == len(defined)
    assert set(CAUSES) == set(defined)


def test_every_cause_is_in_the_modules_table_of_exit_codes() -> None:
    """The table in the module's docstring has every cause with its exit code."""
    text = str(causes.__doc__)
    assert [cause.id for cause in CAUSES if f"{cause.code} {cause.id} " not in text] == []


def test_to_error_has_code_and_remedy() -> None:
    """The error has the workload, the message, the cause, the remedy and its runbook."""
    failure = RolloutFailure(causes.CONFIG_MISSING, "Deployment/web", "there is no Secret 'a'")
    error = failure.to_error()
    assert str(error) == (
        "Deployment/web: there is no Secret 'a' [config-missing]. "
        "Create it in the namespace, then release again. See docs/runbooks/config-missing.md."
    )
    assert (error.code, error.evidence) == (24, None)
