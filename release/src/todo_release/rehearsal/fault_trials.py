"""Releases with one injected fault after the other, to see who finds it and how the engine ends.

Every trial releases a version of its own in which every image has changed. When preflight stops the release,
it is released again with those checks skipped, to see how the engine ends without them.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from todo_release.adapters.kubernetes.manifest import parse_manifest
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.artifacts import versions
from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.rollout.causes import CAUSES
from todo_release.environments.status import read_running_version
from todo_release.errors import ReleaseError
from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.preflight.errors import PreflightError
from todo_release.rehearsal import scenario
from todo_release.rehearsal.faults import KILL_PREFIX, Fault, FaultTarget
from todo_release.rehearsal.sandbox import Sandbox
from todo_release.rehearsal.scenario import RehearsalContext
from todo_release.report.text import DONE, REFUSED
from todo_release.session import Session

SETTLE_SECONDS = 30.0
POLL_SECONDS = 0.2
SKIP_REASON = "a fault is injected"
EXIT_CODES = {cause.id: cause.code for cause in CAUSES} | {"refused": PreflightError.exit_code}


class KilledError(BaseException):
    """Ends a run as a signal would; no code that handles errors catches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultResult:
    """The result of one trial.

    Attributes:
        fault: What was injected.
        found_by: The preflight checks that stopped the release before it changed anything.
        error: How the engine ended with those checks skipped; None when it released the version.
        running: What every environment runs afterwards, for people.
        is_intact: Every environment runs the version it should, with all pods ready.
        seconds: How long the trial took.
    """

    fault: Fault
    found_by: tuple[str, ...]
    error: ReleaseError | None
    running: str
    is_intact: bool
    seconds: float

    @property
    def is_as_expected(self) -> bool:
        """True when the engine named the cause or recovered, and every environment is intact."""
        expected = EXIT_CODES[self.fault.cause] if self.fault.cause else None
        return self.is_intact and (self.error.code if self.error else None) == expected


class FaultTrials:
    """Tries faults in a sandbox, one after the other; `running` is the version that all environments run."""

    def __init__(self, sandbox: Sandbox, version: str, last: str | None) -> None:
        """Installs the previous version.

        Args:
            sandbox: where to release.
            version: the version of the first trial; later trials have the patch versions after it.
            last: the last environment to release to; None means all.

        Raises:
            ReleaseError: the previous version could not be installed.
        """
        self._context, self._last = sandbox.context, last
        self._next = versions.parse(version)
        self._dockerfiles = sorted({image.dockerfile for image in sandbox.config.images.values()})
        order = sandbox.config.deploy_order(last)
        self.running = scenario.install_previous(sandbox.context, *order)
        self._target = FaultTarget(
            api=sandbox.plane.api,
            fixture=sandbox.fixture,
            settings=sandbox.config.environments[order[0]],
            engine=sandbox.engine,
            pull_fault=sandbox.pull_fault,
            autoscaler=sandbox.autoscaler,
            set_pod_faults=sandbox.plane.kubelet.set_faults,
        )

    def run(self, fault: Fault) -> FaultResult:
        """Releases a version in which every image has changed, with a fault, and reads what runs afterwards.

        Raises:
            RehearsalError: the application has nothing that the fault could affect.
        """
        context, version = self._context, str(self._next)
        self._next = versions.bump(self._next, "patch")
        context.reporter.show_text(f"Fault {fault.name}: {fault.description}")
        context.scratch.change(self._dockerfiles)
        started_at = time.monotonic()
        found_by: tuple[str, ...] = ()
        with fault.inject(self._target):
            error = self._release(context, fault, version)
            if isinstance(error, PreflightError):
                found_by = tuple(sorted({finding.check for finding in error.findings}))
                skips = tuple(f"{check}={SKIP_REASON}" for check in found_by)
                options = replace(context.options, skip=(*context.options.skip, *skips))
                error = self._release(replace(context, options=options), fault, version)
        self.running = self.running if error else version
        with context.session() as session:
            environments = session.context.config.deploy_order(self._last)
            is_intact, running = _settled(session, environments, self.running)
        return FaultResult(
            fault=fault,
            found_by=found_by,
            error=error,
            running=running,
            is_intact=is_intact,
            seconds=time.monotonic() - started_at,
        )

    def _release(self, context: RehearsalContext, fault: Fault, version: str) -> ReleaseError | None:
        """Releases a version; a run that the fault kills is repeated, as a person would do."""
        is_kill = fault.name.startswith(KILL_PREFIX)
        killed_after = fault.name.removeprefix(KILL_PREFIX) if is_kill else None

        def kill(event: RunEvent) -> None:
            context.reporter(event)
            if isinstance(event, StepEnded) and event.step.id == killed_after and not event.was_done:
                raise KilledError

        with context.session() as session:
            try:
                if killed_after is not None:
                    with suppress(KilledError):
                        session.run(session.plan_release(version, self._last), kill)
                session.run(session.plan_release(version, self._last), context.reporter)
            except ReleaseError as error:
                return error
        return None


def result_table(results: Iterable[FaultResult]) -> Table:
    """Returns a table with a row per fault."""
    rows = tuple(
        (
            DONE if result.is_as_expected else REFUSED,
            result.fault.name,
            f"found by {', '.join(result.found_by)}" if result.found_by else "-",
            f"{result.error.code} {type(result.error).__name__}" if result.error else "recovered",
            result.running,
            duration(result.seconds),
        )
        for result in results
    )
    columns = ("", "fault", "preflight", "engine, check skipped", "running afterwards", "took")
    return Table("Faults", columns, rows)


def _settled(session: Session, environments: Iterable[str], version: str) -> tuple[bool, str]:
    """Waits until environments run a version with all pods ready; returns whether, and what each one runs."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        states = {name: _state(session.context.connect(name)) for name in environments}
        is_intact = all(state == version for state in states.values())
        if is_intact or time.monotonic() > deadline:
            return is_intact, ", ".join(f"{name} {state}" for name, state in states.items())
        time.sleep(POLL_SECONDS)


def _state(access: EnvironmentAccess) -> str:
    """Returns what an environment runs according to Helm's records, its pods and its Deployments' images."""
    running = read_running_version(access)
    if running is None:
        return "nothing"
    manifest = parse_manifest(access.helm.manifest(access.settings.release))
    for deployment in manifest.of_kind("Deployment"):
        live = access.cluster.live(deployment.body, access.settings.namespace)
        if _images(live) != _images(deployment.body):
            return f"{running.version} (but {deployment.name} has other images)"
    return running.version if running.is_ready else f"{running.version} (not ready)"


def _images(deployment: JsonObject | None) -> dict[str, str]:
    """Returns the image of each container; none for a Deployment that does not exist."""
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else ()
    return {container["name"]: container["image"] for container in containers}
