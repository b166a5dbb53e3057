"""The builds that smoke checks expect in answers, as the registry has them for the released images."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from todo_release.artifacts.images import BUILD_ID
from todo_release.config.model import Config, SmokeSettings

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

FindBuilds = Callable[[SmokeSettings, Mapping[str, str]], dict[str, str]]


def find_builds(
    config: Config, registry: "Registry", settings: SmokeSettings, digests: Mapping[str, str]
) -> dict[str, str]:
    """Returns the build of each image that a check names; an image without a digest or a build is left out.

    Raises:
        RegistryError: The registry has no such image, was not reachable, or refused.
    """
    names = sorted({check.build.image for check in settings.http if check.build} & digests.keys())

    def environment(name: str) -> Mapping[str, str]:
        return registry.resolve(config.registry.path(name), digests[name], config.registry.platform).env

    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        found = dict(zip(names, pool.map(environment, names), strict=True))
    return {name: env[BUILD_ID] for name, env in found.items() if BUILD_ID in env}
