"""What people read after a run was interrupted."""

from todo_release.errors import SmokeError
from todo_release.pipeline.events import PlanStarted, RunEvent, StepEnded, StepFailed, StepStarted
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Deploy, Step, Verify
from todo_release.report.interruption import Interruption


def deploy(environment: str, running: str | None) -> Deploy:
    """Returns the deployment of 0.3.0."""
    return Deploy(environment=environment, version="0.3.0", reason="", running_version=running)


def verify(environment: str) -> Verify:
    """Returns the verification of 0.3.0."""
    return Verify(environment=environment, version="0.3.0", reason="")


STAGING, PRODUCTION = deploy("staging", "0.2.0"), deploy("production", "0.1.0")
STEPS = (STAGING, verify("staging"), PRODUCTION, verify("production"))


def lines_after(*events: RunEvent) -> list[str]:
    """Returns the lines after these events."""
    interruption = Interruption()
    for event in events:
        interruption(event)
    return list(interruption.lines())


def ended(step: Step, *, was_done: bool = False) -> StepEnded:
    """Returns the end of a step."""
    return StepEnded(step, was_done=was_done, seconds=1, outcome={})


def started(steps: tuple[Step, ...] = STEPS) -> PlanStarted:
    """Returns the beginning of a plan."""
    return PlanStarted(Plan(version="0.3.0", steps=steps, findings=(), refusals=()), (), {})


CONTINUE = "  To continue, run the same command again: it goes on where this one stopped."


def test_interrupted_rollout_names_what_runs_where_and_how_to_undo() -> None:
    """Staging is done, production was being rolled out."""
    done = [StepStarted(STAGING), ended(STAGING), StepStarted(STEPS[1]), ended(STEPS[1])]
    assert lines_after(started(), *done, StepStarted(PRODUCTION)) == [
        "✗ Interrupted during: Deploy 0.3.0 to production.",
        "  staging: 0.3.0 runs, verified.",
        "  production: 0.3.0 may be partly rolled out; 0.1.0 ran before.",
        CONTINUE,
        "  To undo, run `inv rollback --env staging`.",
        "  To undo, run `inv rollback --env production`.",
    ]


def test_environment_that_was_not_reached_is_unchanged() -> None:
    """What was current already, and what comes later, needs no undoing."""
    lines = lines_after(started(), ended(STAGING, was_done=True), StepStarted(STEPS[1]))
    assert lines[1:] == [
        "  staging: 0.3.0 runs, not verified yet.",
        "  production: 0.1.0 runs, unchanged.",
        "  No environment was changed.",
        CONTINUE,
    ]


def test_first_deployment_has_nothing_to_go_back_to() -> None:
    """Undoing is not offered where nothing ran before."""
    first = deploy("staging", None)
    assert lines_after(started((first,)), StepStarted(first)) == [
        "✗ Interrupted during: Deploy 0.3.0 to staging.",
        "  staging: 0.3.0 may be partly rolled out; nothing ran before.",
        CONTINUE,
    ]


def test_interruption_before_a_plan_changed_nothing() -> None:
    """While facts are read, nothing is written."""
    assert lines_after() == ["✗ Interrupted.", "  No environment was changed.", CONTINUE]


def test_failed_step_is_not_running_any_more() -> None:
    """A signal after the failure, while the error is prepared, does not blame the step twice."""
    failed = StepFailed(STEPS[1], 1, SmokeError("It failed.", remedy="Look."))
    lines = lines_after(started(), StepStarted(STAGING), ended(STAGING), StepStarted(STEPS[1]), failed)
    assert lines[0] == "✗ Interrupted."
    assert lines[1] == "  staging: 0.3.0 runs, not verified yet."
