"""The phases of a rehearsal: releases and rollbacks in the sandbox, with the plans and steps of real ones."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from todo_embedded.controlplane.api_client import ApiClient
from todo_release.adapters.git import Repository
from todo_release.adapters.kubernetes.api_resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    INGRESSES,
    JOBS,
    LEASES,
    SECRETS,
    SERVICES,
)
from todo_release.artifacts import chart, chart_edits, version_line, versions
from todo_release.config.model import Config, SmokeSettings
from todo_release.core.progress import ProgressCallback
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.smoke.result import CheckResult, SmokeTarget
from todo_release.errors import RehearsalError, ReleaseError
from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import RunPreflight
from todo_release.preflight.inspection import Inspection
from todo_release.rehearsal.scratch_repository import ScratchRepository
from todo_release.report.reporter import Reporter
from todo_release.session import CommandOptions, Connections, Session, open_session

FIRST_VERSION = "0.0.0-0.rehearsal"  # less than every version that can be released
# What a release writes. Autoscalers and events change by themselves.
WRITTEN = (SECRETS, CONFIG_MAPS, SERVICES, DEPLOYMENTS, JOBS, LEASES, INGRESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase of a rehearsal that has ended; `summary` is its result in one line."""

    name: str
    summary: str
    seconds: float
    error: ReleaseError | None = None

    @property
    def evidence(self) -> str | None:
        """Folder with the state of the cluster when the phase failed."""
        return self.error.evidence if self.error else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalContext:
    """What the phases share: the scratch repository, how sessions connect, and the cluster's API.

    `inspections` collects those of all sessions.
    """

    scratch: ScratchRepository
    options: CommandOptions
    connections: Connections
    api: ApiClient
    reporter: Reporter
    inspections: list[Inspection] = field(default_factory=list)

    @contextmanager
    def session(self, *environments: str) -> Iterator[Session]:
        """Opens a session in the scratch repository, for all environments or only for some.

        Some environments need neither another one before them nor a confirmation.
        """
        with open_session(self.scratch.tree, self.options, self.reporter, self.connections) as session:
            inspect = session.inspect

            def inspect_and_record(environment: str, version: str | None) -> Inspection:
                inspection = inspect(environment, version)
                self.inspections.append(inspection)
                return inspection

            context = session.context
            if environments:
                config, connect = _limit_to(context.config, environments), context.connect

                def connect_alone(name: str) -> EnvironmentAccess:
                    return replace(connect(name), settings=config.environment(name))

                context = replace(context, config=config, connect=connect_alone)
            yield replace(session, context=context, inspect=inspect_and_record)

    def written_state(self, config: Config) -> Mapping[str, str]:
        """Returns the resource version of every object a release writes, and the remote's references."""
        state = {"remote": self.scratch.refs()}
        for namespace in {environment.namespace for environment in config.environments.values()}:
            for resource in WRITTEN:
                path = resource.path(namespace)
                for item in self.api.items(path):
                    state[f"{path}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
        return state


def skip_smoke(settings: SmokeSettings, target: SmokeTarget, say: ProgressCallback) -> list[CheckResult]:
    """Replaces the smoke checks, which need running containers."""
    say("smoke checks are skipped: no container runs in a rehearsal", is_note=True)
    return []


def run_phase(name: str, action: Callable[[], str]) -> Phase:
    """Runs one phase and keeps the error with which a real release would have ended."""
    started_at = time.monotonic()
    error: ReleaseError | None = None
    try:
        summary = action()
    except ReleaseError as failure:
        summary, error = failure.problem.partition("\n")[0].rstrip(":"), failure
    return Phase(name=name, summary=summary, seconds=time.monotonic() - started_at, error=error)


def install_previous(context: RehearsalContext, *environments: str) -> str:
    """Releases the last released version to some environments or to all, and returns the version.

    It is released anew from its commit, because its images are not in the sandbox. Where nothing was released
    yet, the checked-out commit is released as `FIRST_VERSION`.

    Raises:
        ReleaseError: it cannot be released.
    """
    scratch = context.scratch
    with context.session(*environments) as session:
        config = session.context.config
    tags = version_line.tags_of_line(Repository(scratch.tree), config)
    released = versions.parse_tags(tags, config.tag_prefix)
    version, commit = FIRST_VERSION, scratch.head
    tag = versions.tag_of(released[-1] if released else versions.parse(version), config.tag_prefix)
    if released:
        version, commit = str(released[-1]), tags[tag]
        scratch.delete_tag(tag)
    scratch.check_out(commit)
    _lower_chart(scratch, config, version)
    with context.session(*environments) as session:
        session.run(session.plan_release(version), context.reporter)
    scratch.check_out(scratch.head)
    if config.release_branch(scratch.branch) != config.branch:
        scratch.merge_history(tag)  # versions of a hotfix branch are those that it contains
    return version


def _lower_chart(scratch: ScratchRepository, config: Config, version: str) -> None:
    """Gives the chart a version that is lower than its own, below which nothing can be released."""
    file = config.chart.file
    text = (scratch.tree / file).read_text(encoding="utf-8")
    if versions.is_lower(version, chart.read_version(text, file)):
        scratch.write(file, chart_edits.set_version(text, file, version))


def release(context: RehearsalContext, version: str, last: str | None) -> tuple[str, dict[str, float]]:
    """Releases the version and returns a summary and the seconds of each step by its title.

    Raises:
        ReleaseError: the error with which a real release would have ended.
    """
    seconds: dict[str, float] = {}

    def record_duration(event: RunEvent) -> None:
        context.reporter(event)
        if isinstance(event, StepEnded) and not event.was_done:
            seconds[event.step.title] = event.seconds

    with context.session() as session:
        plan = session.plan_release(version, last)
        session.run(plan, record_duration)
    done = len([step for step in plan.steps if not isinstance(step, RunPreflight)])
    return f"{done} steps done; {plan.findings[0]}", seconds


def release_again(context: RehearsalContext, version: str, last: str | None) -> str:
    """Releases the same version again and checks that nothing is written.

    Raises:
        RehearsalError: something was written.
    """
    with context.session() as session:
        before = context.written_state(session.context.config)
        plan = session.plan_release(version, last)
        session.run(plan, context.reporter)
        after = context.written_state(session.context.config)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed or not plan.is_finished:
        raise RehearsalError(
            f"Released again, {version} changed {', '.join(changed) or 'nothing, but had steps to do'}.",
            remedy="A finished release must change nothing: report this as a defect, with the journal.",
        )
    return f"nothing to do; none of {len(before)} objects and Git references was changed"


def roll_back(context: RehearsalContext, environment: str) -> str:
    """Rolls an environment back to the previous version.

    Raises:
        ReleaseError: the rollback failed.
    """
    with context.session() as session:
        plan: Plan = session.plan_rollback(environment, None)
        session.run(plan, context.reporter)
    return plan.findings[0]


def _limit_to(config: Config, names: tuple[str, ...]) -> Config:
    independent: dict[str, Any] = {"requires": None, "confirm": False}
    kept = {name: config.environment(name).model_copy(update=independent) for name in names}
    return config.model_copy(update={"environments": kept})
