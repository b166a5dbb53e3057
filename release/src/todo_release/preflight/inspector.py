"""Connects inspections of one command to registries; the checks are imported when the first one begins."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING

from todo_release.adapters.registry.client import Registry
from todo_release.adapters.registry.credentials import Credentials
from todo_release.config.model import RegistrySettings
from todo_release.environments.environment import ReleaseContext

if TYPE_CHECKING:
    from todo_release.preflight.checks.workflows import Parse
    from todo_release.preflight.inspection import Inspect, Inspection


def make_inspector(
    context: ReleaseContext,
    registry: Registry,
    *,
    skip: Sequence[str],
    parse: "Parse | None",
    unreachable: MutableMapping[str, str] | None = None,
    real_registry: RegistrySettings | None = None,
) -> "Inspect":
    """Returns the function that inspects an environment.

    Checks the names of the checks to skip first, before anything is done.

    Args:
        context: What a release works on.
        registry: The registry of the released images.
        skip: Checks whose errors do not stop the command, as `CHECK=REASON`.
        parse: Checks the arguments of a task; None where the tasks are not known.
        unreachable: Registries of others that did not answer before, with the reason.
        real_registry: The registry of real releases, where `registry` stands in for it.
    """
    skips: Mapping[str, str] = {}
    if skip:
        from todo_release.preflight import all_checks  # slow: the checks cost 100 ms

        skips = all_checks.skips(skip)
    settings = context.config.registry
    known = {} if unreachable is None else unreachable
    insecure_hosts = {own.host for own in (settings, real_registry) if own is not None and own.insecure}

    def connect(host: str, credentials: Credentials | None) -> Registry:
        return Registry(
            host,
            insecure=host in insecure_hosts,
            credentials=credentials,
            is_anonymous=credentials is None,
            is_optional=host != settings.host,
        )

    def inspect(environment: str, version: str | None) -> "Inspection":
        from todo_release.preflight.inspection import LookupSources
        from todo_release.preflight.inspection import inspect as inspected
        from todo_release.preflight.rendering import ChartRenderer

        renderer = ChartRenderer(context, registry, version, real_registry)
        sources = LookupSources(connect, parse, known, real_registry)
        return inspected(context, renderer, environment, skips, sources)

    return inspect
