"""Whether the nodes of an environment will be able to pull, asked as they will: with the namespace's pull
secrets.

That somebody may push from here says nothing about it: the login of CI is not the secret of the cluster, and
a secret made from a token that ends with its job works until the first new node.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from todo_release.adapters.registry.credentials import Credentials, from_pull_secret
from todo_release.artifacts.chart import ImageReference
from todo_release.config.model import RegistrySettings
from todo_release.environments.environment import Access
from todo_release.errors import RegistryError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

Connect = Callable[[Credentials], "Registry"]


def check(
    access: Access,
    settings: RegistrySettings,
    manifest: str,
    images: Mapping[str, ImageReference],
    connect: Connect,
) -> int:
    """Follow every image down to its configuration with the pull secrets that a rendered chart names.

    Returns how many secrets were tried. Secrets that are not there are passed over, as the kubelet does;
    without any for the registry's host it is taken to be public.

    Raises:
        RegistryError: an image cannot be pulled with any of them.
    """
    tried = credentials_of(access, pull_secrets(manifest), settings.host)
    if tried:
        for name, image in images.items():
            _check_image(name, image, settings, tried, connect)
    return len(tried)


def credentials_of(access: Access, names: Iterable[str], host: str) -> dict[str, Credentials]:
    """What pull secrets of the environment's namespace say about a registry; secrets that are not there, or
    are for others, are passed over.
    """
    found = {}
    for name in sorted(names):
        text = access.cluster.pull_secret(access.settings.namespace, name)
        credentials = from_pull_secret(text, host) if text else None
        if credentials:
            found[name] = credentials
    return found


def _check_image(
    name: str,
    image: ImageReference,
    settings: RegistrySettings,
    tried: Mapping[str, Credentials],
    connect: Connect,
) -> None:
    refusals = []
    for secret, credentials in tried.items():
        try:
            with connect(credentials) as registry:
                registry.resolve(settings.path(name), image.digest, settings.platform)
        except RegistryError as refusal:
            refusals.append(f"with {secret}: {refusal.problem}")
        else:
            return
    raise RegistryError(
        f"The cluster cannot pull {image}: {' '.join(refusals)}",
        remedy=f"Renew the pull secret ({', '.join(tried)}) of the namespace.",
    )


def pull_secrets(manifest: str) -> set[str]:
    """Names under every `imagePullSecrets`, wherever it stands: pod templates of any kind, service
    accounts.
    """
    documents = yaml.load_all(manifest, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name for document in documents for name in _named(document)}


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "imagePullSecrets":
                yield from (str(one["name"]) for one in inner or ())
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


CheckPullAccess = Callable[[Access, str, Mapping[str, ImageReference]], object]
