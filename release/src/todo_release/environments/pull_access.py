"""Checks that the nodes of an environment can pull the images, with the namespace's own pull secrets.

That this machine may push says nothing about it: the CI login is not the cluster's secret, and a secret made
from a token that ends with its CI job works only until the first new node.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from todo_release.adapters.kubernetes.manifest import parse_manifest
from todo_release.adapters.registry.credentials import Credentials, from_pull_secret
from todo_release.artifacts.chart import ImageReference
from todo_release.config.model import RegistrySettings
from todo_release.environments.environment import EnvironmentAccess
from todo_release.errors import RegistryError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

ConnectRegistry = Callable[[Credentials], "Registry"]
CheckPullAccess = Callable[[EnvironmentAccess, str, Mapping[str, ImageReference]], object]
"""The type of `check_pull_access` with registry and settings bound: access, rendered chart, images."""


def check_pull_access(
    access: EnvironmentAccess,
    settings: RegistrySettings,
    manifest: str,
    images: Mapping[str, ImageReference],
    connect: ConnectRegistry,
) -> int:
    """Resolves every image with the pull secrets that a rendered chart names; returns how many were tried.

    Secrets that do not exist are skipped, as the kubelet does. When none is for the registry's host, the
    registry is taken to be public.

    Raises:
        RegistryError: An image cannot be pulled with any of the secrets.
    """
    tried = read_pull_credentials(access, find_pull_secrets(manifest), settings.host)
    if tried and images:
        with ExitStack() as stack, ThreadPoolExecutor(len(images)) as pool:
            registries = {
                secret: stack.enter_context(connect(credentials)) for secret, credentials in tried.items()
            }
            check = partial(_check_image, settings, registries)
            list(pool.map(check, images, images.values()))  # raises what is wrong with the first image
    return len(tried)


def read_pull_credentials(
    access: EnvironmentAccess, names: Iterable[str], host: str
) -> dict[str, Credentials]:
    """Returns credentials for a registry by pull secret; skips secrets missing or for other hosts."""
    credentials_by_secret = {}
    for name in sorted(names):
        text = access.cluster.pull_secret(access.settings.namespace, name)
        credentials = from_pull_secret(text, host) if text else None
        if credentials:
            credentials_by_secret[name] = credentials
    return credentials_by_secret


def _check_image(
    settings: RegistrySettings, registries: Mapping[str, "Registry"], name: str, image: ImageReference
) -> None:
    """Resolves an image with one of the registries, which are by pull secret."""
    refusals = []
    for secret, registry in registries.items():
        try:
            registry.resolve(settings.path(name), image.identity, settings.platform)
        except RegistryError as refusal:
            refusals.append(f"with {secret}: {refusal.problem}")
        else:
            return
    raise RegistryError(
        f"The cluster cannot pull {image}: {' '.join(refusals)}",
        remedy=f"Renew the pull secret ({', '.join(registries)}) of the namespace.",
    )


def find_pull_secrets(manifest: str) -> set[str]:
    """Returns the names under every `imagePullSecrets`, in pod templates of any kind and service accounts."""
    return {name for rendered in parse_manifest(manifest).objects for name in _secret_names(rendered.body)}


def _secret_names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "imagePullSecrets":
                yield from (str(reference["name"]) for reference in inner or ())
            else:
                yield from _secret_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _secret_names(inner)
