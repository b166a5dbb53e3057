"""Running plans: check, do, record; locks; waves."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from todo_release.core.progress import Say
from todo_release.errors import BuildError, LockedError
from todo_release.pipeline.events import (
    PlanEnded,
    PlanStarted,
    RunEvent,
    StepEnded,
    StepFailed,
    StepSpoke,
    StepStarted,
)
from todo_release.pipeline.journal import Journal
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.runner import StepResult, Pipeline
from todo_release.pipeline.steps import BuildImage, Confirm, Deploy, Step, Verify


@dataclass
class Recorder:
    """A handler of every kind of step that remembers what it was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    barrier: threading.Barrier | None = None
    running: int = 0
    most: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def check(self, step: Step) -> StepResult | None:
        """Done when told so."""
        self.asked.append(("check", step.id))
        return {"found": True} if step.id in self.done else None

    def do(self, step: Step, say: Say) -> StepResult:
        """Fail when told so."""
        self.asked.append(("do", step.id))
        with self.counting:
            self.running += 1
            self.most = max(self.most, self.running)
        if self.barrier:
            self.barrier.wait(timeout=10)
        with self.counting:
            self.running -= 1
        if step.id in self.failing:
            raise BuildError(f"{step.id} failed.", remedy="Look.")
        say(f"did {step.id}")
        return {"did": step.id}


class Lease:
    """A lock that writes a diary, and is lost when told so."""

    lost = False

    def __init__(self, diary: list[str], environment: str) -> None:
        """Nothing is held yet."""
        self.diary, self.environment = diary, environment

    def __enter__(self) -> None:
        """Take."""
        self.diary.append(f"+{self.environment}")

    def __exit__(self, *_: object) -> None:
        """Give back."""
        self.diary.append(f"-{self.environment}")

    def ensure_held(self) -> None:
        """Look."""
        self.diary.append(f"?{self.environment}")
        if self.lost:
            raise LockedError("Somebody took over.", remedy="Look.")


def build(name: str, *, is_first: bool = True, is_done: bool = False) -> BuildImage:
    """A step of a wave."""
    return BuildImage(
        image=name, repository="r", content_id="c", reason="", is_first_of_context=is_first, is_done=is_done
    )


DEPLOY, VERIFY = (kind(environment="staging", version="1.0.0", reason="") for kind in (Deploy, Verify))
CONFIRM = Confirm(environment="production", version="1.0.0", reason="")


@dataclass
class Bench:
    """A pipeline under test and all that it tells."""

    journal: Journal
    handler: Recorder = field(default_factory=Recorder)
    events: list[RunEvent] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)

    def run(self, *steps: Step, width: int = 1) -> None:
        """Run a plan of these steps."""
        handlers: dict[type[Step], Any] = dict.fromkeys((BuildImage, Deploy, Verify, Confirm), self.handler)
        Pipeline(
            handlers=handlers,
            journal=self.journal,
            listener=self.events.append,
            lock_for=lambda environment, say: Lease(self.locks, environment),
            width=width,
        ).run(Plan(version="1.0.0", findings=(), steps=steps))

    def told(self, kind: type[RunEvent]) -> list[Any]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Nothing ran yet."""
    return Bench(Journal(tmp_path, "1.0.0"))


def test_step_is_checked_done_and_recorded_in_that_order(bench: Bench) -> None:
    """The record comes before anybody is told that it is done."""
    bench.run(build("a"))
    assert bench.handler.asked == [("check", "build:a"), ("do", "build:a")]
    assert [(entry.happening, entry.outcome) for entry in bench.journal.read()] == [
        ("started", {}),
        ("done", {"did": "build:a"}),
    ]
    assert [type(event) for event in bench.events] == [
        PlanStarted,
        StepStarted,
        StepSpoke,
        StepEnded,
        PlanEnded,
    ]
    (ended,) = bench.told(StepEnded)
    assert (ended.was_done, ended.outcome) == (False, {"did": "build:a"})


def test_step_found_done_is_not_done_again(bench: Bench) -> None:
    """Somebody else, or an earlier run, did it between the plan and now."""
    bench.handler.done.add("build:a")
    bench.run(build("a"))
    assert bench.handler.asked == [("check", "build:a")]
    (ended,) = bench.told(StepEnded)
    assert (ended.was_done, ended.outcome) == (True, {"found": True})


def test_step_that_the_plan_found_done_is_not_even_checked(bench: Bench) -> None:
    """And leaves no line in the journal."""
    bench.run(build("a", is_done=True))
    assert (bench.handler.asked, bench.journal.read()) == ([], [])


def test_step_that_was_cut_off_after_the_deed_is_recorded_as_done(bench: Bench) -> None:
    """Otherwise every later run of the version would speak of the interruption again."""
    bench.journal.write("build:a", "started")
    bench.run(build("a", is_done=True))
    assert bench.told(PlanStarted)[0].interrupted == ("build:a",)
    assert bench.journal.interrupted() == []


def test_failure_is_recorded_told_and_ends_the_plan(bench: Bench) -> None:
    """Nothing after it begins."""
    bench.handler.failing.add("build:a")
    with pytest.raises(BuildError, match="build:a failed"):
        bench.run(build("a"), DEPLOY)
    assert [entry.happening for entry in bench.journal.read()] == ["started", "failed"]
    assert [event.step.id for event in bench.told(StepFailed)] == ["build:a"]
    assert bench.told(PlanEnded) == []


def test_refused_plan_does_nothing(bench: Bench) -> None:
    """Not even a line in the journal."""
    refusal = BuildError("No.", remedy="Look.")
    pipeline = Pipeline(
        handlers={},
        journal=bench.journal,
        listener=bench.events.append,
        lock_for=lambda environment, say: Lease([], ""),
    )
    with pytest.raises(BuildError):
        pipeline.run(Plan(version="1.0.0", findings=(), steps=(DEPLOY,), refusals=(refusal,)))
    assert (bench.events, bench.journal.read()) == ([], [])


def test_lock_is_kept_between_steps_of_an_environment_and_asked_for(bench: Bench) -> None:
    """Taken once, looked at before the next step, given back before a step that needs none."""
    bench.run(build("a"), DEPLOY, VERIFY, CONFIRM)
    assert bench.locks == ["+staging", "?staging", "-staging"]


def test_lock_is_given_back_when_a_step_fails(bench: Bench) -> None:
    """The next release need not wait for it to die."""
    bench.handler.failing.add("deploy:staging")
    with pytest.raises(BuildError):
        bench.run(DEPLOY, VERIFY)
    assert bench.locks == ["+staging", "-staging"]


def test_lost_lock_ends_the_plan_before_the_next_step(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine slept, and another run owns the environment now."""
    monkeypatch.setattr(Lease, "lost", True)
    with pytest.raises(LockedError):
        bench.run(DEPLOY, VERIFY)
    assert ("do", "verify:staging") not in bench.handler.asked


def test_steps_of_a_wave_run_at_the_same_time(bench: Bench) -> None:
    """Each waits for the other, so one after the other would never end."""
    bench.handler.barrier = threading.Barrier(2)
    bench.run(build("a"), build("b"), width=2)
    assert sorted(event.step.id for event in bench.told(StepEnded)) == ["build:a", "build:b"]


def test_wave_is_no_wider_than_allowed(bench: Bench) -> None:
    """Three builds, two places: a barrier of three would never be passed, two at a time are seen."""
    bench.handler.barrier = threading.Barrier(2)
    bench.run(build("a"), build("b"), build("c"), build("d"), width=2)
    assert bench.handler.most == 2


def test_next_wave_waits_for_the_one_before(bench: Bench) -> None:
    """The first image of a context has filled the cache when the others begin."""
    bench.run(build("a"), build("b", is_first=False), build("c", is_first=False), width=3)
    assert bench.handler.asked[:2] == [("check", "build:a"), ("do", "build:a")]


def test_failure_in_a_wave_lets_its_neighbours_end_and_stops_the_plan(bench: Bench) -> None:
    """What was built is kept; nothing is deployed."""
    bench.handler.barrier = threading.Barrier(2)
    bench.handler.failing.add("build:a")
    with pytest.raises(BuildError):
        bench.run(build("a"), build("b"), DEPLOY, width=2)
    assert [event.step.id for event in bench.told(StepEnded)] == ["build:b"]
    assert ("check", "deploy:staging") not in bench.handler.asked


def test_times_of_earlier_versions_and_runs_are_what_is_expected(bench: Bench, tmp_path: Path) -> None:
    """The live view shows them beside the time that has passed."""
    Journal(tmp_path, "0.9.0").write("build:a", "done", seconds=10.0)
    Journal(tmp_path, "0.9.0").write("deploy:staging", "done", seconds=20.0)
    bench.journal.write("build:a", "done", seconds=12.0)
    bench.run(build("a"))
    (started,) = bench.told(PlanStarted)
    assert started.expected_seconds == {"build:a": 12.0, "deploy:staging": 20.0}
