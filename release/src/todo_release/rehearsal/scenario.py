"""Plays a release in the rehearsal's world, act by act, with the same plans and steps as a real one."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from todo_embedded.controlplane.api_client import Api
from todo_release.adapters.git import Repository
from todo_release.artifacts import versions
from todo_release.config.model import Config, SmokeSettings
from todo_release.environments.environment import Access
from todo_release.environments.smoke.checks import CheckResult
from todo_release.errors import RehearsalError, ReleaseError
from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Preflight
from todo_release.report.reporter import Reporter
from todo_release.session import Connections, Options, Session, open_session

if TYPE_CHECKING:
    from todo_release.core.progress import Say
    from todo_release.preflight.inspection import Inspection
    from todo_release.rehearsal.scratch_repository import Scratch

FIRST = "0.0.0-0.rehearsal"  # less than every version that could be asked for
# What a release writes; autoscalers and events change by themselves.
WRITTEN = (
    ("api/v1", "secrets"), ("api/v1", "configmaps"), ("api/v1", "services"), ("apis/apps/v1", "deployments"),
    ("apis/batch/v1", "jobs"), ("apis/coordination.k8s.io/v1", "leases"),
    ("apis/networking.k8s.io/v1", "ingresses"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One part of a rehearsal: what was tried, how long it took, what came of it in one line, and the error
    that it failed with.
    """

    name: str
    told: str
    seconds: float
    error: ReleaseError | None = None

    @property
    def evidence(self) -> str | None:
        """Folder with what the cluster said while it failed."""
        return self.error.evidence if self.error else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a release is played: a scratch clone, the world that sessions reach, the API of its cluster."""

    scratch: "Scratch"
    options: Options
    connections: Connections
    api: Api
    reporter: Reporter
    inspections: "list[Inspection]" = field(default_factory=list)

    @contextmanager
    def session(self, *environments: str) -> Iterator[Session]:
        """A session in the scratch clone as it is checked out, of some environments or of all.

        Of some: none of them then requires another one, or a confirmation.
        """
        with open_session(self.scratch.tree, self.options, self.reporter, self.connections) as session:
            inspect = session.inspect

            def remember(environment: str, version: str | None) -> "Inspection":
                found = inspect(environment, version)
                self.inspections.append(found)
                return found

            context = session.context
            if environments:
                config, reach = _of(context.config, environments), context.reach

                def reach_alone(name: str) -> Access:
                    return replace(reach(name), settings=config.environment(name))

                context = replace(context, config=config, reach=reach_alone)
            yield replace(session, context=context, inspect=remember)

    def written(self, config: Config) -> Mapping[str, str]:
        """Version of every object that a release writes, and what the remote's references name."""
        found = {"remote": self.scratch.refs()}
        for namespace in {one.namespace for one in config.environments.values()}:
            for root, plural in WRITTEN:
                path = f"{root}/namespaces/{namespace}/{plural}"
                for one in self.api.items(path):
                    found[f"{path}/{one['metadata']['name']}"] = one["metadata"]["resourceVersion"]
        return found


def judge_nothing(spec: SmokeSettings, url: str, say: "Say") -> list[CheckResult]:
    """Smoke checks in a world where no container runs."""
    say("nothing answers in a rehearsal: smoke checks are not shown", is_note=True)
    return []


def play(name: str, perform: Callable[[], str]) -> Act:
    """Perform one act; it fails with the error that a real release would have failed with."""
    began = time.monotonic()
    try:
        told, error = perform(), None
    except ReleaseError as failure:
        told, error = failure.problem.partition("\n")[0].rstrip(":"), failure
    return Act(name=name, told=told, seconds=time.monotonic() - began, error=error)


def install(stage: Stage, *environments: str) -> str:
    """Bring what was released last to some environments, or to all; what is checked out when nothing was.

    Returns the version. It is released anew from its commit, because its own images are not in this world.

    Raises:
        ReleaseError: it cannot be released.
    """
    scratch = stage.scratch
    tags = Repository(scratch.tree).tags()
    released = versions.of_tags(tags)
    version, commit = FIRST, scratch.head
    if released:
        version, tag = str(released[-1]), versions.tag_of(released[-1])
        commit = tags[tag]
        scratch.forget_tag(tag)
    scratch.check_out(commit)
    with stage.session(*environments) as session:
        session.run(session.release(version), stage.reporter)
    scratch.check_out(scratch.head)
    return version


def release(stage: Stage, version: str, last: str | None) -> tuple[str, dict[str, float]]:
    """Release the version; what was done in one line, and the seconds of each step by its title.

    Raises:
        ReleaseError: what a real release would have ended with.
    """
    seconds: dict[str, float] = {}

    def listen(event: RunEvent) -> None:
        stage.reporter(event)
        if isinstance(event, StepEnded) and not event.was_done:
            seconds[event.step.title] = event.seconds

    with stage.session() as session:
        plan = session.release(version, last)
        session.run(plan, listen)
    done = len([step for step in plan.steps if not isinstance(step, Preflight)])
    return f"{done} steps done; {plan.findings[0]}", seconds


def repeat(stage: Stage, version: str, last: str | None) -> str:
    """Release the same version again and see that nothing is written.

    Raises:
        RehearsalError: something was.
    """
    with stage.session() as session:
        before = stage.written(session.context.config)
        plan = session.release(version, last)
        session.run(plan, stage.reporter)
        after = stage.written(session.context.config)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed or not plan.is_finished:
        raise RehearsalError(
            f"Released again, {version} changed {', '.join(changed) or 'nothing, but had steps to do'}.",
            remedy="A finished release must change nothing; report this with the journal.",
        )
    return f"nothing to do; none of {len(before)} objects and references was written"


def undo(stage: Stage, environment: str) -> str:
    """Roll an environment back to what ran there before.

    Raises:
        ReleaseError: it cannot be.
    """
    with stage.session() as session:
        plan: Plan = session.rollback(environment, None)
        session.run(plan, stage.reporter)
    return plan.findings[0]


def _of(config: Config, names: tuple[str, ...]) -> Config:
    alone: dict[str, Any] = {"requires": None, "confirm": False}
    kept = {name: config.environment(name).model_copy(update=alone) for name in names}
    return config.model_copy(update={"environments": kept})
