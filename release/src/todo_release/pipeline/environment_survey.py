"""Reads one environment for a plan: what runs there, whether it was verified, and what differs from it."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.artifacts.deployment import prepare_deployment
from todo_release.environments import history
from todo_release.environments.deviations import Deviation, FindDeviations
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.history import DeploymentRecord
from todo_release.environments.status import RunningVersion, read_running_version
from todo_release.errors import ReleaseError
from todo_release.pipeline.facts import EnvironmentFacts

FORBIDDEN = 403


class _State(NamedTuple):
    """What runs in an environment, how it differs from a version that Helm deployed, and the records.

    `is_hidden` is true where this account may read the records only.
    """

    running: RunningVersion | None
    deviations: tuple[Deviation, ...]
    records: list[DeploymentRecord]
    is_hidden: bool = False


def survey_environment(
    context: ReleaseContext,
    name: str,
    version: str,
    commit: str | None,
    find_deviations: FindDeviations,
    *,
    is_requirement_planned: bool,
) -> tuple[EnvironmentFacts, ReleaseError | None]:
    """Returns the facts of an environment, and the error of what could not be read.

    Args:
        commit: The commit of the version's tag; None while there is none.
        find_deviations: Asked only when the environment already runs the version.
        is_requirement_planned: True when the same plan verifies the environment that `requires` names.
    """
    settings = context.config.environment(name)
    target_id, state, required, is_requirement_met = None, _State(None, (), []), None, False
    problem = None
    try:
        with ThreadPoolExecutor(2) as pool:
            state_later = pool.submit(_read_state, context, name, version, find_deviations)
            required_later = (
                pool.submit(_read_required, context, settings.requires, version, find_deviations)
                if settings.requires and commit is not None and not is_requirement_planned
                else None
            )
            if commit is not None:
                with prepare_deployment(context.repository, context.config, name, version, commit) as target:
                    target_id, digests = target.id, target.digests
            state = state_later.result()
            required = required_later.result() if required_later else None
        if commit is not None:
            is_watched = settings.requires is not None and context.config.is_watched(settings.requires)
            is_requirement_met = history.is_verified(state.records, version, digests) or (
                required is not None
                and history.is_promotable(required.records, version, digests, is_watched=is_watched)
            )
    except ReleaseError as error:
        problem = error
    running = state.running
    facts = EnvironmentFacts(
        name=name,
        requires=settings.requires,
        needs_confirmation=settings.confirm,
        target_id=target_id,
        running=running,
        is_verified=running is not None and history.is_revision_verified(state.records, running.revision),
        is_requirement_met=settings.requires is not None and is_requirement_met,
        deviations=state.deviations if running and running.deployment_id == target_id else (),
        requirement_deviations=required.deviations if required else (),
        is_requirement_hidden=required is not None and required.is_hidden,
        watch_minutes=context.config.watch_of(name).minutes,
        is_watched=running is not None and history.is_revision_watched(state.records, running.revision),
    )
    return facts, problem


def _read_required(
    context: ReleaseContext, name: str, version: str, find_deviations: FindDeviations
) -> _State:
    """Returns the state of a required environment; only its records where this account may read no more."""
    try:
        return _read_state(context, name, version, find_deviations)
    except ApiRefusedError as refusal:
        if refusal.status != FORBIDDEN:
            raise
        return _State(None, (), context.connect(name).records.read(), is_hidden=True)


def _read_state(context: ReleaseContext, name: str, version: str, find_deviations: FindDeviations) -> _State:
    access = context.connect(name)
    with ThreadPoolExecutor(1) as pool:
        records = pool.submit(access.records.read)
        running = read_running_version(access)
        is_same = running is not None and running.version == version and running.status == "deployed"
        deviations = find_deviations(access, running) if running is not None and is_same else ()
        return _State(running, deviations, records.result())
