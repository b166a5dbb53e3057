"""Fault trials: what counts as the expected result, and the result of every fault."""

from collections.abc import Iterator
from typing import Any

import pytest

from todo_release import commands
from todo_release.errors import ClusterError, ReleaseError, RolloutError
from todo_release.preflight.errors import PreflightError
from todo_release.rehearsal import cluster_fixture, run
from todo_release.rehearsal.fault_trials import FaultResult, FaultTrials, result_table
from todo_release.rehearsal.faults import FAULTS, Fault, select_faults
from todo_release.rehearsal.sandbox import open_sandbox

from ..shop import GIT_SETTINGS, Tree
from .deployable_shop import LINES, never_released, open_shop
from .shared_control_plane import SharedControlPlane

STEPS = ("commit", "tag", "deploy:staging", "verify:staging")
# The preflight check that finds a fault before anything is changed; no check can find the others.
FOUND_BY = {
    "missing-secret": ("references",),
    "missing-key": ("references",),
    "full-nodes": ("capacity",),
    "quota": ("capacity",),
    "other-selector": ("release-state",),
}
# One fault of each way of injection. The others are marked `slow`: `nox -s system` tries all.
QUICK = {
    "missing-key", "quota", "image-missing", "crash", "failing-hook", "stuck-pending", "hand-edit",
    "other-selector", "kill@deploy:staging",
}  # fmt: skip


def result(cause: str | None, error: ReleaseError | None, *, is_intact: bool = True) -> FaultResult:
    """Returns the result of a trial."""
    return FaultResult(
        fault=Fault("flood", "water", lambda target: pytest.fail("never injected"), cause),
        found_by=("capacity",) if error else (),
        error=error,
        running="staging 1.0.0",
        is_intact=is_intact,
        seconds=2,
    )


@pytest.mark.parametrize(
    ("outcome", "is_expected"),
    [
        (result(None, None), True),
        (result("crash-loop", RolloutError("No.", remedy="Look.", code=26)), True),
        (result("refused", PreflightError("No.", remedy="Look.")), True),
        (result("crash-loop", RolloutError("No.", remedy="Look.", code=27)), False),
        (result("crash-loop", None), False),
        (result(None, ClusterError("No.", remedy="Look.")), False),
        (result(None, None, is_intact=False), False),
    ],
    ids=["recovered", "cause", "refused", "another-cause", "not-noticed", "not-recovered", "not-intact"],
)
def test_result_is_expected_with_the_named_cause_and_intact_environments(
    outcome: FaultResult, is_expected: bool
) -> None:
    """A result is as expected only with the right exit code and the right version running."""
    assert outcome.is_as_expected is is_expected
    assert next(iter(result_table([outcome]).rows))[0] == ("✓" if is_expected else "✗")


def test_table_has_a_row_per_fault() -> None:
    """A row has the check, the engine's error, what runs afterwards, and the duration."""
    table = result_table([result("refused", PreflightError("No.", remedy="Look.")), result(None, None)])
    assert table.rows == (
        ("✓", "flood", "found by capacity", "15 PreflightError", "staging 1.0.0", "2.0 s"),
        ("✓", "flood", "-", "recovered", "staging 1.0.0", "2.0 s"),
    )


def test_unexpected_result_ends_with_16_and_names_the_fault(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 16 and the fault's name, or with 0 when all results are as expected."""
    results = [result(None, None), result("crash-loop", None)]
    monkeypatch.setattr(run, "try_faults", lambda *_, **__: tuple(results))
    assert commands.rehearse(tree.path, "1.0.0", LINES, faults=["all"]) == 16
    assert "1 of 2 faults ended otherwise than promised: flood." in capsys.readouterr().out
    results.pop()
    assert commands.rehearse(tree.path, "1.0.0", LINES, faults=["all"]) == 0


def test_unknown_fault_ends_with_2_before_a_sandbox_is_created(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message lists all faults, and no sandbox is created."""
    monkeypatch.setattr(run, "open_sandbox", lambda *_: pytest.fail("a sandbox was created"))
    assert commands.rehearse(tree.path, "1.0.0", LINES, faults=["flood"]) == 2
    assert "Choose of: all, missing-secret" in capsys.readouterr().out


def test_faults_of_a_command_are_tried_and_shown(
    shop: Tree, on_shared_plane: SharedControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command releases up to the given environment and prints a row per fault."""
    assert commands.rehearse(shop.path, "1.0.0", LINES, last="staging", faults=["kill@tag"]) == 0
    output = capsys.readouterr().out
    assert "Fault kill@tag: the run is killed at the end of tag" in output
    assert "✓  kill@tag  -          recovered              staging 1.0.0" in output


@pytest.fixture(scope="module")
def trials(shared: SharedControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultTrials]:
    """Yields trials in a sandbox whose staging runs a version."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT_SETTINGS.items():
            patch.setenv(name, value)
        patch.setattr(cluster_fixture, "run_cluster", shared.run_cluster)
        tree = never_released(tmp_path_factory.mktemp("trials") / "shop")
        with open_shop(tree) as session, open_sandbox(session, LINES, None) as sandbox:
            yield FaultTrials(sandbox, "1.0.0", "staging")


def cases() -> list[Any]:
    """Returns every fault."""
    return [
        pytest.param(fault, id=fault.name, marks=() if fault.name in QUICK else pytest.mark.slow)
        for fault in select_faults(("all",), STEPS)
    ]


@pytest.mark.parametrize("fault", cases())
def test_fault_is_found_or_handled_and_the_right_version_runs(trials: FaultTrials, fault: Fault) -> None:
    """Preflight finds the fault if it can, the engine names the cause or recovers, and staging is intact."""
    before = trials.running
    outcome = trials.run(fault)
    assert outcome.is_as_expected, f"{outcome.error!r}, afterwards {outcome.running}"
    assert outcome.running == f"staging {trials.running}"
    assert outcome.found_by == FOUND_BY.get(fault.name, ())
    assert (trials.running == before) is (fault.cause is not None)


def test_every_quick_fault_exists() -> None:
    """The names in QUICK and FOUND_BY are faults, so that a renamed one is still tried."""
    assert QUICK | set(FOUND_BY) <= {fault.name for fault in select_faults(("all",), STEPS)}
    assert {name for name in QUICK if not name.startswith("kill@")} < {fault.name for fault in FAULTS}
