"""A release that was interrupted anywhere continues from there with the same command."""

import pytest

from todo_release.pipeline.events import PlanStarted, StepProgressed

from .doubles.harness import Harness, KilledError, killed_after
from .released_shop import ALL, PREFLIGHTS, versions_in
from .shop import Tree


@pytest.mark.parametrize("step", [prefix + step for step in ALL for prefix in ("~", "")])
def test_killed_anywhere_the_same_command_continues_from_there(
    harness: Harness, tree: Tree, step: str
) -> None:
    """A run that is killed at the start of a step or right after it is completed by the next run."""
    with killed_after(harness, step):
        harness.release("0.1.0")
    reached = ALL.index(step.removeprefix("~")) + (0 if step.startswith("~") else 1)
    rest = ALL[reached:]
    if step in {"confirm:production", "~deploy:production"}:
        rest = ["confirm:production", *rest]  # agreement to a killed run is not agreement to the next one
    # Every environment that is still to be deployed is inspected again.
    again = [step_id for step_id in PREFLIGHTS if step_id.replace("preflight", "deploy") in rest]
    assert harness.release("0.1.0") == again + [step_id for step_id in rest if step_id not in PREFLIGHTS]
    assert harness.session.plan_release("0.1.0").is_finished
    assert versions_in(harness, "production") == [("0.1.0", "deployed")]
    assert tree.git("log", "--format=%s") == "release: 0.1.0.\nadd"
    assert harness.engine.built == ["web", "api"]


def test_killed_between_the_two_files_of_the_commit_continues(harness: Harness, tree: Tree) -> None:
    """Changes that this release itself wrote are accepted and committed once."""
    with killed_after(harness, "build:api"):
        harness.release("0.1.0")
    text = (tree.path / "chart/Chart.yaml").read_text()
    tree.write({"chart/Chart.yaml": text.replace("0.0.0", "0.1.0")})
    assert harness.release("0.1.0") == [*PREFLIGHTS, *ALL[4:]]


def test_interrupted_step_is_named_by_the_next_run(harness: Harness) -> None:
    """The next run reports the step in which the last one was interrupted."""
    with killed_after(harness, "~deploy:staging"):
        harness.release("0.1.0")
    harness.release("0.1.0")
    assert isinstance(harness.events[0], PlanStarted)
    assert harness.events[0].interrupted == ("deploy:staging",)


def test_helm_killed_in_the_middle_is_unlocked_under_the_lock(harness: Harness) -> None:
    """The pending revision of a killed run is marked as failed and the version deployed again."""
    harness.helm["staging"].dies_in = "upgrade"
    with pytest.raises(KilledError):
        harness.release("0.1.0")
    harness.helm["staging"].dies_in = None
    harness.release("0.1.0")
    assert versions_in(harness, "staging") == [("0.1.0", "failed"), ("0.1.0", "deployed")]
    assert [record.result for record in harness.records("staging").read()] == ["failed", "verified"]
    notes = [event.text for event in harness.events if isinstance(event, StepProgressed) and event.is_note]
    assert "revision 1 was left pending-upgrade by a run that died; unlocked" in notes
