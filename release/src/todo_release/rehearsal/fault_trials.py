"""Tries faults one after the other: does preflight catch each, and does the engine get over it if it goes on?

Each trial releases a version of its own in which every image has changed, with the fault arranged. What
preflight catches is released again with those checks skipped, to see what the engine makes of it.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from todo_release.adapters.kubernetes.manifest import parse
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.artifacts import versions
from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.environments.environment import Access
from todo_release.environments.rollout.causes import CAUSES
from todo_release.environments.status import running_in
from todo_release.errors import ClusterError, ReleaseError
from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.preflight.errors import PreflightError
from todo_release.rehearsal import scenario
from todo_release.rehearsal.faults import KILL, Fault, Scene
from todo_release.rehearsal.sandbox import Theatre
from todo_release.rehearsal.scenario import Stage
from todo_release.report.text import DONE, REFUSED
from todo_release.session import Session

SETTLE_SECONDS = 30.0
LOOK_SECONDS = 0.2
SKIPPED = "the fault is arranged"
CODES = {cause.id: cause.code for cause in CAUSES} | {"refused": ClusterError.exit_code}


class KilledError(BaseException):
    """The run ended here as if by a signal: nothing that handles errors gets to see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one fault. `caught` are checks that stopped the release before it began, `error` is what
    the engine ended with when it went on, None when it got over the fault, `after` what runs then.
    """

    fault: Fault
    caught: tuple[str, ...]
    error: ReleaseError | None
    after: str
    is_whole: bool
    seconds: float

    @property
    def is_as_promised(self) -> bool:
        """True when the cause was named, or the fault got over, and every environment runs what it should."""
        promised = CODES[self.fault.cause] if self.fault.cause else None
        return self.is_whole and (self.error.code if self.error else None) == promised


class Trials:
    """Tries faults in a theatre, one after the other; `before` is what every environment runs."""

    def __init__(self, theatre: Theatre, version: str, last: str | None) -> None:
        """Set up what runs before. `version` is the first that is released, `last` where releases end.

        Raises:
            ReleaseError: what runs before could not be set up.
        """
        self._stage, self._last = theatre.stage, last
        self._next = versions.parse(version)
        self._dockerfiles = sorted({image.dockerfile for image in theatre.config.images.values()})
        order = theatre.config.deploy_order(last)
        self.before = scenario.install(theatre.stage, *order)
        self._scene = Scene(
            api=theatre.plane.api,
            site=theatre.site,
            settings=theatre.config.environments[order[0]],
            engine=theatre.engine,
            pulls=theatre.pulls,
            befall=theatre.plane.fates.set_faults,
        )

    def attempt(self, fault: Fault) -> Trial:
        """Release a version in which every image has changed, with a fault arranged, and look what runs then.

        Raises:
            RehearsalError: the fault finds nothing to befall.
        """
        stage, version = self._stage, str(self._next)
        self._next = versions.bump(self._next, "patch")
        stage.reporter.say(f"Fault {fault.name}: {fault.told}")
        stage.scratch.change(self._dockerfiles)
        began = time.monotonic()
        caught: tuple[str, ...] = ()
        with fault.arrange(self._scene):
            error = self._release(stage, fault, version)
            if isinstance(error, PreflightError):
                caught = tuple(sorted({finding.check for finding in error.findings}))
                skips = tuple(f"{check}={SKIPPED}" for check in caught)
                regardless = replace(
                    stage, options=replace(stage.options, skip=(*stage.options.skip, *skips))
                )
                error = self._release(regardless, fault, version)
        self.before = self.before if error else version
        with stage.session() as session:
            is_whole, after = _settled(session, session.context.config.deploy_order(self._last), self.before)
        return Trial(
            fault=fault,
            caught=caught,
            error=error,
            after=after,
            is_whole=is_whole,
            seconds=time.monotonic() - began,
        )

    def _release(self, stage: Stage, fault: Fault, version: str) -> ReleaseError | None:
        """Release; a run that is to be killed is begun anew, as its owner would."""
        step = fault.name.removeprefix(KILL) if fault.name.startswith(KILL) else None

        def listen(event: RunEvent) -> None:
            stage.reporter(event)
            if isinstance(event, StepEnded) and event.step.id == step and not event.was_done:
                raise KilledError

        with stage.session() as session:
            try:
                if step is not None:
                    with suppress(KilledError):
                        session.run(session.release(version, self._last), listen)
                session.run(session.release(version, self._last), stage.reporter)
            except ReleaseError as error:
                return error
        return None


def table(trials: Iterable[Trial]) -> Table:
    """One row a fault."""
    rows = tuple(
        (
            DONE if trial.is_as_promised else REFUSED,
            trial.fault.name,
            f"caught: {', '.join(trial.caught)}" if trial.caught else "-",
            f"{trial.error.code} {type(trial.error).__name__}" if trial.error else "got over it",
            trial.after,
            duration(trial.seconds),
        )
        for trial in trials
    )
    return Table("Faults", ("", "fault", "preflight", "engine, gone on", "runs afterwards", "took"), rows)


def _settled(session: Session, environments: Iterable[str], version: str) -> tuple[bool, str]:
    """Whether environments come to run a version with all its pods ready, and what each one runs."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = {name: _state(session.context.reach(name)) for name in environments}
        is_whole = all(state == version for state in found.values())
        if is_whole or time.monotonic() > deadline:
            return is_whole, ", ".join(f"{name} {state}" for name, state in found.items())
        time.sleep(LOOK_SECONDS)


def _state(access: Access) -> str:
    """What an environment runs: by Helm's records, by its pods, and by the images that the cluster has."""
    running = running_in(access)
    if running is None:
        return "nothing"
    for one in parse(access.helm.manifest(access.settings.release)).of_kind("Deployment"):
        if _images(access.cluster.live(one.body, access.settings.namespace)) != _images(one.body):
            return f"{running.version} (but {one.name} has other images)"
    return running.version if running.is_ready else f"{running.version} (not ready)"


def _images(deployment: JsonObject | None) -> dict[str, str]:
    """The image of each container; none of a Deployment that is not there."""
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else ()
    return {one["name"]: one["image"] for one in containers}
