"""Runs a plan. Every step is check, do, record: it looks whether it is done, does it if not, and writes it
down.

That makes a run repeatable from any point: killed anywhere and started again, it finds what is done and goes
on. The pipeline knows no step; each kind of step brings a handler.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType
from typing import Any, Protocol, TypeVar

from todo_release.core.progress import Say
from todo_release.errors import ReleaseError
from todo_release.pipeline.events import (
    Listener,
    PlanEnded,
    PlanStarted,
    RunEvent,
    StepEnded,
    StepFailed,
    StepSpoke,
    StepStarted,
)
from todo_release.pipeline.journal import Happening, Journal
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step

StepT_contra = TypeVar("StepT_contra", bound=Step, contravariant=True)
StepResult = dict[str, Any]


class Handler(Protocol[StepT_contra]):
    """Knows one kind of step."""

    def check(self, step: StepT_contra) -> StepResult | None:
        """What came of the step if it is done already, else None. Changes nothing."""

    def do(self, step: StepT_contra, say: Say) -> StepResult:
        """Do the step; what comes of it must be JSON. Raises ReleaseError."""


class Lock(Protocol):
    """Holds an environment while its block runs."""

    def __enter__(self) -> Any:
        """Wait until the environment is free and take it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""

    def ensure_held(self) -> None:
        """Raise LockedError when it was lost meanwhile."""


class LockFor(Protocol):
    """Makes the lock of an environment."""

    def __call__(self, environment: str, say: Say) -> Lock:
        """`say` tells whom one waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What a plan runs with; `width` is how many steps of a wave may run at the same time."""

    handlers: Mapping[type[Step], Handler[Any]]
    journal: Journal
    listener: Listener
    lock_for: LockFor
    width: int = 1
    clock: Callable[[], float] = time.monotonic
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def run(self, plan: Plan) -> None:
        """Do every step that is not done, in order, those of a wave at the same time.

        The lock of an environment is held from its first step on until a step that needs another one or none.
        When a step of a wave fails, its neighbours come to their end and nothing after them begins.

        Raises:
            ReleaseError: the first refusal of the plan, or the error of the step that failed.
        """
        if plan.refusals:
            raise plan.refusals[0]
        began = self.clock()
        interrupted = [entry.step for entry in self.journal.interrupted()]
        self._tell(PlanStarted(plan, tuple(interrupted), self.journal.seconds_before()))
        for step in plan.steps:
            if step.is_done and step.id in interrupted:
                self._record(step, "done")  # the world shows that the run was cut off after the deed
        with _Locks(self.lock_for) as locks:
            for wave, group in groupby(plan.steps, key=lambda step: step.wave):
                steps = list(group)
                if wave is None or len(steps) == 1 or self.width == 1:
                    for step in steps:
                        self._step(step, locks)
                else:
                    self._wave(steps, locks)
        self._tell(PlanEnded(plan, self.clock() - began))

    def _wave(self, steps: Sequence[Step], locks: "_Locks") -> None:
        # Daemon threads and no pool: Ctrl-C must not wait for builds, which a pool would.
        places = threading.Semaphore(self.width)
        failures: list[BaseException] = []

        def work(step: Step) -> None:
            with places:
                try:
                    self._step(step, locks)
                except BaseException as error:  # noqa: BLE001  raised again in the main thread
                    failures.append(error)

        threads = [threading.Thread(target=work, args=(step,), daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _step(self, step: Step, locks: "_Locks") -> None:
        if step.is_done:
            self._tell(StepEnded(step, was_done=True, seconds=0, outcome={}))
            return
        handler = self.handlers[type(step)]

        def say(text: str, *, is_note: bool = False) -> None:
            self._tell(StepSpoke(step, text, is_note))

        began = self.clock()
        self._record(step, "started")
        self._tell(StepStarted(step))
        try:
            locks.hold(step.locks, say)
            found = handler.check(step)
            outcome = handler.do(step, say) if found is None else found
        except ReleaseError as error:
            seconds = self.clock() - began
            self._record(step, "failed", seconds, {"problem": error.problem})
            self._tell(StepFailed(step, seconds, error))
            raise
        seconds = self.clock() - began
        self._record(step, "done", seconds, outcome)
        self._tell(StepEnded(step, was_done=found is not None, seconds=seconds, outcome=outcome))

    def _record(
        self,
        step: Step,
        happening: Happening,
        seconds: float | None = None,
        outcome: StepResult | None = None,
    ) -> None:
        with self._telling:
            self.journal.write(step.id, happening, seconds=seconds, outcome=outcome)

    def _tell(self, event: RunEvent) -> None:
        with self._telling:
            self.listener(event)


class _Locks(ExitStack):
    """The one lock that is held."""

    def __init__(self, lock_for: LockFor) -> None:
        super().__init__()
        self._lock_for = lock_for
        self._held: tuple[str, Lock] | None = None

    def hold(self, environment: str | None, say: Say) -> None:
        if self._held and self._held[0] == environment:
            self._held[1].ensure_held()
            return
        self._held = None
        self.close()
        if environment is not None:
            lock = self._lock_for(environment, say)
            self.enter_context(lock)
            self._held = environment, lock
