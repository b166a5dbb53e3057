"""Running plans: check, do, record; locks; waves."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from todo_release.core.progress import ProgressCallback
from todo_release.errors import BuildError, LockedError
from todo_release.pipeline.events import (
    PlanEnded,
    PlanStarted,
    RunEvent,
    StepEnded,
    StepFailed,
    StepProgressed,
    StepStarted,
)
from todo_release.pipeline.journal import Journal
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.runner import PlanRunner, StepResult
from todo_release.pipeline.steps import BuildImage, Confirm, Deploy, Step, Verify


@dataclass
class Recorder:
    """A handler of every kind of step that records its calls."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    barrier: threading.Barrier | None = None
    running: int = 0
    most_running: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def check(self, step: Step) -> StepResult | None:
        """Returns a result for the steps in `done`."""
        self.calls.append(("check", step.id))
        return {"was": "done"} if step.id in self.done else None

    def do(self, step: Step, say: ProgressCallback) -> StepResult:
        """Records the call, waits at the barrier if there is one, and fails for the steps in `failing`."""
        self.calls.append(("do", step.id))
        with self.counting:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        if self.barrier:
            self.barrier.wait(timeout=10)
        with self.counting:
            self.running -= 1
        if step.id in self.failing:
            raise BuildError(f"{step.id} failed.", remedy="Try again.")
        say(f"did {step.id}")
        return {"did": step.id}


class LockDouble:
    """A lock that records its calls, and is lost if `is_lost` is set."""

    is_lost = False

    def __init__(self, calls: list[str], environment: str) -> None:
        """Records the calls in `calls`."""
        self.calls, self.environment = calls, environment

    def __enter__(self) -> None:
        """Takes the lock."""
        self.calls.append(f"+{self.environment}")

    def __exit__(self, *_: object) -> None:
        """Releases the lock."""
        self.calls.append(f"-{self.environment}")

    def ensure_held(self) -> None:
        """Raises LockedError if the lock is lost."""
        self.calls.append(f"?{self.environment}")
        if self.is_lost:
            raise LockedError("Somebody took over.", remedy="Try again.")


def build(name: str, *, is_first: bool = True, is_done: bool = False) -> BuildImage:
    """Returns a step of a wave."""
    return BuildImage(
        image=name, repository="r", content_id="c", reason="", is_first_of_context=is_first, is_done=is_done
    )


DEPLOY, VERIFY = (kind(environment="staging", version="1.0.0", reason="") for kind in (Deploy, Verify))
CONFIRM = Confirm(environment="production", version="1.0.0", reason="")


@dataclass
class RunnerSetup:
    """A plan runner under test, with its handler, events and locks."""

    journal: Journal
    handler: Recorder = field(default_factory=Recorder)
    events: list[RunEvent] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)

    def run(self, *steps: Step, width: int = 1) -> None:
        """Runs a plan with these steps."""
        handlers: dict[type[Step], Any] = dict.fromkeys((BuildImage, Deploy, Verify, Confirm), self.handler)
        PlanRunner(
            handlers=handlers,
            journal=self.journal,
            listener=self.events.append,
            lock_for=lambda environment, say: LockDouble(self.locks, environment),
            width=width,
        ).run(Plan(version="1.0.0", findings=(), steps=steps))

    def of_kind(self, kind: type[RunEvent]) -> list[Any]:
        """Returns the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def setup(tmp_path: Path) -> RunnerSetup:
    """Returns a setup in which nothing has run."""
    return RunnerSetup(Journal(tmp_path, "1.0.0"))


def test_step_is_checked_done_and_recorded_in_that_order(setup: RunnerSetup) -> None:
    """A step is recorded as done before listeners hear of it."""
    setup.run(build("a"))
    assert setup.handler.calls == [("check", "build:a"), ("do", "build:a")]
    assert [(entry.status, entry.outcome) for entry in setup.journal.read()] == [
        ("started", {}),
        ("done", {"did": "build:a"}),
    ]
    assert [type(event) for event in setup.events] == [
        PlanStarted,
        StepStarted,
        StepProgressed,
        StepEnded,
        PlanEnded,
    ]
    (ended,) = setup.of_kind(StepEnded)
    assert (ended.was_done, ended.outcome) == (False, {"did": "build:a"})


def test_step_found_done_is_not_done_again(setup: RunnerSetup) -> None:
    """A step that was done between plan and run is checked and not done again."""
    setup.handler.done.add("build:a")
    setup.run(build("a"))
    assert setup.handler.calls == [("check", "build:a")]
    (ended,) = setup.of_kind(StepEnded)
    assert (ended.was_done, ended.outcome) == (True, {"was": "done"})


def test_step_that_the_plan_found_done_is_not_even_checked(setup: RunnerSetup) -> None:
    """A step that is done in the plan is neither checked nor recorded."""
    setup.run(build("a", is_done=True))
    assert (setup.handler.calls, setup.journal.read()) == ([], [])


def test_interrupted_step_that_is_done_is_recorded_as_done(setup: RunnerSetup) -> None:
    """An interruption is reported once, and not by every later run."""
    setup.journal.write("build:a", "started")
    setup.run(build("a", is_done=True))
    assert setup.of_kind(PlanStarted)[0].interrupted == ("build:a",)
    assert setup.journal.interrupted() == []


def test_failure_is_recorded_and_reported_and_ends_the_run(setup: RunnerSetup) -> None:
    """No step begins after the one that failed."""
    setup.handler.failing.add("build:a")
    with pytest.raises(BuildError, match="build:a failed"):
        setup.run(build("a"), DEPLOY)
    assert [entry.status for entry in setup.journal.read()] == ["started", "failed"]
    assert [event.step.id for event in setup.of_kind(StepFailed)] == ["build:a"]
    assert setup.of_kind(PlanEnded) == []


def test_refused_plan_does_nothing(setup: RunnerSetup) -> None:
    """A plan with refusals runs no step and writes no journal."""
    refusal = BuildError("No.", remedy="Try again.")
    pipeline = PlanRunner(
        handlers={},
        journal=setup.journal,
        listener=setup.events.append,
        lock_for=lambda environment, say: LockDouble([], ""),
    )
    with pytest.raises(BuildError):
        pipeline.run(Plan(version="1.0.0", findings=(), steps=(DEPLOY,), refusals=(refusal,)))
    assert (setup.events, setup.journal.read()) == ([], [])


def test_lock_is_kept_and_checked_between_steps_of_an_environment(setup: RunnerSetup) -> None:
    """The lock is taken once, checked before the next step, and released before a step that needs none."""
    setup.run(build("a"), DEPLOY, VERIFY, CONFIRM)
    assert setup.locks == ["+staging", "?staging", "-staging"]


def test_lock_is_released_when_a_step_fails(setup: RunnerSetup) -> None:
    """The next release does not wait for the lock to expire."""
    setup.handler.failing.add("deploy:staging")
    with pytest.raises(BuildError):
        setup.run(DEPLOY, VERIFY)
    assert setup.locks == ["+staging", "-staging"]


def test_lost_lock_ends_the_run_before_the_next_step(
    setup: RunnerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When another run has taken the lock, no further step is done."""
    monkeypatch.setattr(LockDouble, "is_lost", True)
    with pytest.raises(LockedError):
        setup.run(DEPLOY, VERIFY)
    assert ("do", "verify:staging") not in setup.handler.calls


def test_steps_of_a_wave_run_at_the_same_time(setup: RunnerSetup) -> None:
    """Two steps that wait for each other both end."""
    setup.handler.barrier = threading.Barrier(2)
    setup.run(build("a"), build("b"), width=2)
    assert sorted(event.step.id for event in setup.of_kind(StepEnded)) == ["build:a", "build:b"]


def test_wave_is_no_wider_than_allowed(setup: RunnerSetup) -> None:
    """Of three steps, no more than two run at the same time."""
    setup.handler.barrier = threading.Barrier(2)
    setup.run(build("a"), build("b"), build("c"), build("d"), width=2)
    assert setup.handler.most_running == 2


def test_next_wave_waits_for_the_one_before(setup: RunnerSetup) -> None:
    """The first image of a context is built before the others begin."""
    setup.run(build("a"), build("b", is_first=False), build("c", is_first=False), width=3)
    assert setup.handler.calls[:2] == [("check", "build:a"), ("do", "build:a")]


def test_failure_in_a_wave_lets_the_other_steps_end_and_stops_the_run(setup: RunnerSetup) -> None:
    """Builds that run beside the failed one are kept, and nothing is deployed."""
    setup.handler.barrier = threading.Barrier(2)
    setup.handler.failing.add("build:a")
    with pytest.raises(BuildError):
        setup.run(build("a"), build("b"), DEPLOY, width=2)
    assert [event.step.id for event in setup.of_kind(StepEnded)] == ["build:b"]
    assert ("check", "deploy:staging") not in setup.handler.calls


def test_expected_seconds_are_those_of_earlier_runs(setup: RunnerSetup, tmp_path: Path) -> None:
    """The expected duration of a step is its last one, in this or another version."""
    Journal(tmp_path, "0.9.0").write("build:a", "done", seconds=10.0)
    Journal(tmp_path, "0.9.0").write("deploy:staging", "done", seconds=20.0)
    setup.journal.write("build:a", "done", seconds=12.0)
    setup.run(build("a"))
    (started,) = setup.of_kind(PlanStarted)
    assert started.expected_seconds == {"build:a": 12.0, "deploy:staging": 20.0}
