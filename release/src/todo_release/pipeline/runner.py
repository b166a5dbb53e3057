"""Runs a plan. Every step is check, do, record: is it done already, do it if not, write it to the journal.

This makes a run repeatable from any point: killed anywhere and started again, it finds what is done and
continues. The runner knows no kind of step; each kind has a handler.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType
from typing import Any, Protocol, TypeVar

from todo_release.core.progress import ProgressCallback
from todo_release.errors import ReleaseError
from todo_release.pipeline.events import (
    Listener,
    PlanEnded,
    PlanStarted,
    RunEvent,
    StepEnded,
    StepFailed,
    StepProgressed,
    StepStarted,
)
from todo_release.pipeline.journal import EntryStatus, Journal
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Step

StepT_contra = TypeVar("StepT_contra", bound=Step, contravariant=True)
StepResult = dict[str, Any]


class StepHandler(Protocol[StepT_contra]):
    """Checks and does one kind of step."""

    def check(self, step: StepT_contra) -> StepResult | None:
        """Returns the result of the step if it is done already, else None. Changes nothing."""

    def do(self, step: StepT_contra, say: ProgressCallback) -> StepResult:
        """Does the step and returns its result, which must be JSON.

        Raises:
            ReleaseError: the step failed.
        """


class StepLock(Protocol):
    """Holds an environment while its block runs."""

    def __enter__(self) -> Any:
        """Waits until the environment is free and takes the lock."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases the lock."""

    def ensure_held(self) -> None:
        """Checks that the lock is still held.

        Raises:
            LockedError: somebody else has taken it.
        """


class LockFactory(Protocol):
    """Makes the lock of an environment."""

    def __call__(self, environment: str, say: ProgressCallback) -> StepLock:
        """Returns the lock; `say` reports who holds it while this run waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRunner:
    """Runs a plan with these handlers; `width` is how many steps of a wave may run at the same time."""

    handlers: Mapping[type[Step], StepHandler[Any]]
    journal: Journal
    listener: Listener
    lock_for: LockFactory
    width: int = 1
    clock: Callable[[], float] = time.monotonic
    _recording: threading.Lock = field(default_factory=threading.Lock)

    def run(self, plan: Plan) -> None:
        """Does every step that is not done, in order, those of a wave at the same time.

        The lock of an environment is held from its first step until a step that needs another lock or none.
        When a step of a wave fails, the other running steps finish and nothing after them begins.

        Raises:
            ReleaseError: the first refusal of the plan, or the error of the step that failed.
        """
        if plan.refusals:
            raise plan.refusals[0]
        began = self.clock()
        interrupted = [entry.step for entry in self.journal.interrupted()]
        self._notify(PlanStarted(plan, tuple(interrupted), self.journal.expected_seconds()))
        for step in plan.steps:
            if step.is_done and step.id in interrupted:
                self._record(step, "done")  # the earlier run was interrupted between the work and this entry
        with _Locks(self.lock_for) as locks:
            for wave, group in groupby(plan.steps, key=lambda step: step.wave):
                steps = list(group)
                if wave is None or len(steps) == 1 or self.width == 1:
                    for step in steps:
                        self._run_step(step, locks)
                else:
                    self._run_wave(steps, locks)
        self._notify(PlanEnded(plan, self.clock() - began))

    def _run_wave(self, steps: Sequence[Step], locks: "_Locks") -> None:
        # Daemon threads and no pool: Ctrl-C must not wait for builds, as a pool would.
        slots = threading.Semaphore(self.width)
        failures: list[BaseException] = []

        def work(step: Step) -> None:
            with slots:
                try:
                    self._run_step(step, locks)
                except BaseException as error:  # noqa: BLE001  # raised again in the main thread
                    failures.append(error)

        threads = [threading.Thread(target=work, args=(step,), daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _run_step(self, step: Step, locks: "_Locks") -> None:
        if step.is_done:
            self._notify(StepEnded(step, was_done=True, seconds=0, outcome={}))
            return
        handler = self.handlers[type(step)]

        def say(text: str, *, is_note: bool = False) -> None:
            self._notify(StepProgressed(step, text, is_note))

        began = self.clock()
        self._record(step, "started")
        self._notify(StepStarted(step))
        try:
            locks.hold(step.locks, say)
            earlier_result = handler.check(step)
            result = handler.do(step, say) if earlier_result is None else earlier_result
        except ReleaseError as error:
            seconds = self.clock() - began
            self._record(step, "failed", seconds, {"problem": error.problem})
            self._notify(StepFailed(step, seconds, error))
            raise
        seconds = self.clock() - began
        self._record(step, "done", seconds, result)
        self._notify(StepEnded(step, was_done=earlier_result is not None, seconds=seconds, outcome=result))

    def _record(
        self,
        step: Step,
        status: EntryStatus,
        seconds: float | None = None,
        result: StepResult | None = None,
    ) -> None:
        with self._recording:
            self.journal.write(step.id, status, seconds=seconds, outcome=result)

    def _notify(self, event: RunEvent) -> None:
        with self._recording:
            self.listener(event)


class _Locks(ExitStack):
    """Holds at most one environment's lock at a time."""

    def __init__(self, lock_for: LockFactory) -> None:
        super().__init__()
        self._lock_for = lock_for
        self._held: tuple[str, StepLock] | None = None

    def hold(self, environment: str | None, say: ProgressCallback) -> None:
        if self._held and self._held[0] == environment:
            self._held[1].ensure_held()
            return
        self._held = None
        self.close()
        if environment is not None:
            lock = self._lock_for(environment, say)
            self.enter_context(lock)
            self._held = environment, lock
