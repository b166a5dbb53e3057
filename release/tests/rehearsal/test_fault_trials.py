"""Trials of faults: what counts as a promise kept, and every promise kept for real."""

from collections.abc import Iterator
from typing import Any

import pytest

from todo_release import commands
from todo_release.errors import ClusterError, ReleaseError, RolloutError
from todo_release.rehearsal import cluster_fixture, run
from todo_release.rehearsal.fault_trials import Trial, Trials, table
from todo_release.rehearsal.faults import FAULTS, Fault, named
from todo_release.rehearsal.sandbox import open_theatre

from ..shop import GIT_SETTINGS, Tree
from .deployable_shop import LINES, never_released, opened
from .shared_control_plane import SharedPlane

STEPS = ("commit", "tag", "deploy:staging", "verify:staging")
# The check of preflight that sees a fault before anything is changed; no check can see the others.
CAUGHT = {
    "missing-secret": ("references",),
    "missing-key": ("references",),
    "full-nodes": ("capacity",),
    "quota": ("capacity",),
}
# One of each way in which faults are arranged; the rest is `slow`: `nox -s system` tries them all.
QUICK = {
    "missing-key", "quota", "image-missing", "crash", "failing-hook", "stuck-pending", "hand-edit",
    "other-selector", "kill@deploy:staging",
}  # fmt: skip


def trial(cause: str | None, error: ReleaseError | None, *, is_whole: bool = True) -> Trial:
    """A trial that came out like this."""
    return Trial(
        fault=Fault("flood", "water", lambda scene: pytest.fail("never arranged"), cause),
        caught=("capacity",) if error else (),
        error=error,
        after="staging 1.0.0",
        is_whole=is_whole,
        seconds=2,
    )


@pytest.mark.parametrize(
    ("found", "is_kept"),
    [
        (trial(None, None), True),
        (trial("crash-loop", RolloutError("No.", remedy="Look.", code=26)), True),
        (trial("refused", ClusterError("No.", remedy="Look.")), True),
        (trial("crash-loop", RolloutError("No.", remedy="Look.", code=27)), False),
        (trial("crash-loop", None), False),
        (trial(None, ClusterError("No.", remedy="Look.")), False),
        (trial(None, None, is_whole=False), False),
    ],
    ids=["got-over-it", "cause", "refused", "another-cause", "not-noticed", "not-got-over", "not-whole"],
)
def test_promise_is_kept_by_the_named_cause_and_a_whole_environment(found: Trial, is_kept: bool) -> None:
    """What runs afterwards counts as much as the exit code."""
    assert found.is_as_promised is is_kept
    assert next(iter(table([found]).rows))[0] == ("✓" if is_kept else "✗")


def test_table_has_a_row_a_fault() -> None:
    """What preflight saw, what the engine ended with, what runs, how long it took."""
    shown = table([trial("refused", ClusterError("No.", remedy="Look.")), trial(None, None)])
    assert shown.rows == (
        ("✓", "flood", "caught: capacity", "8 ClusterError", "staging 1.0.0", "2.0 s"),
        ("✓", "flood", "-", "got over it", "staging 1.0.0", "2.0 s"),
    )


def test_promise_that_is_not_kept_ends_with_16_and_names_the_fault(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them kept ends with 0."""
    trials = [trial(None, None), trial("crash-loop", None)]
    monkeypatch.setattr(run, "try_faults", lambda *_, **__: tuple(trials))
    assert commands.rehearse(tree.path, "1.0.0", LINES, faults=["all"]) == 16
    assert "1 of 2 faults ended otherwise than promised: flood." in capsys.readouterr().out
    trials.pop()
    assert commands.rehearse(tree.path, "1.0.0", LINES, faults=["all"]) == 0


def test_unknown_fault_ends_with_2_before_a_world_is_made(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the list of those there are."""
    monkeypatch.setattr(run, "open_theatre", lambda *_: pytest.fail("a world was made"))
    assert commands.rehearse(tree.path, "1.0.0", LINES, faults=["flood"]) == 2
    assert "Choose of: all, missing-secret" in capsys.readouterr().out


def test_faults_of_a_command_are_tried_in_one_world_and_shown(
    shop: Tree, on_shared_plane: SharedPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to the environment that was named."""
    assert commands.rehearse(shop.path, "1.0.0", LINES, last="staging", faults=["kill@tag"]) == 0
    shown = capsys.readouterr().out
    assert "Fault kill@tag: the run dies at the end of tag" in shown
    assert "✓  kill@tag  -          got over it      staging 1.0.0" in shown


@pytest.fixture(scope="module")
def trials(shared: SharedPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """A theatre in which staging runs a version."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT_SETTINGS.items():
            patch.setenv(name, value)
        patch.setattr(cluster_fixture, "running", shared.running)
        tree = never_released(tmp_path_factory.mktemp("trials") / "shop")
        with opened(tree) as session, open_theatre(session, LINES, None) as theatre:
            yield Trials(theatre, "1.0.0", "staging")


def cases() -> list[Any]:
    """Every fault that can be asked for."""
    return [
        pytest.param(fault, id=fault.name, marks=() if fault.name in QUICK else pytest.mark.slow)
        for fault in named(("all",), STEPS)
    ]


@pytest.mark.parametrize("fault", cases())
def test_fault_is_caught_or_got_over_and_what_should_run_runs(trials: Trials, fault: Fault) -> None:
    """The engine's promise, for each fault: preflight sees it if it can, the cause is named, nothing is left
    half done.
    """
    before = trials.before
    found = trials.attempt(fault)
    assert found.is_as_promised, f"{found.error!r}, afterwards {found.after}"
    assert found.after == f"staging {trials.before}"
    assert found.caught == CAUGHT.get(fault.name, ())
    assert (trials.before == before) is (fault.cause is not None)


def test_every_quick_fault_is_there() -> None:
    """A fault that is renamed must not drop out of the gate in silence."""
    assert QUICK | set(CAUGHT) <= {fault.name for fault in named(("all",), STEPS)}
    assert {name for name in QUICK if not name.startswith("kill@")} < {fault.name for fault in FAULTS}
