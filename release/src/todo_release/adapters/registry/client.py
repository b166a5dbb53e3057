"""Asks an image registry what it holds, over the OCI distribution protocol.

An image exists only if the tag, the index, the manifest for the nodes' platform and the configuration in it
all exist: a lookup that stops at the index accepts images that no node can pull.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import urllib3
from urllib3.exceptions import HTTPError

from todo_release.adapters import http
from todo_release.adapters.registry.auth import DENIED, RegistryAuth, RegistryDeniedError
from todo_release.adapters.registry.credentials import Credentials, from_docker_config
from todo_release.errors import RegistryError

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
PASSING_FAULTS = (429, 500, 502, 503, 504)
TRIES = 3
ANSWER_SECONDS = 30
OPTIONAL_CONNECT_SECONDS = 1.0
DOCKER_HUB = {"docker.io": "registry-1.docker.io"}


class RegistryUnreachableError(RegistryError):
    """The registry did not answer at all."""


class ImageNotFoundError(RegistryError):
    """The registry has no such image, or none for the platform."""


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image resolved to what a node runs.

    `digest` names what was asked for (an index, if there is one), `platform_digest` the manifest of one
    platform, `config_digest` its configuration; `size_bytes` is what a node downloads.
    """

    digest: str
    platform_digest: str
    config_digest: str
    size_bytes: int
    labels: Mapping[str, str]
    env: Mapping[str, str]


class Registry:
    """One registry host.

    Without `credentials` it uses those of `docker login`, or with `is_anonymous` none at all.
    """

    def __init__(
        self,
        host: str,
        *,
        insecure: bool = False,
        credentials: Credentials | None = None,
        is_anonymous: bool = False,
        is_optional: bool = False,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes `insecure` for plain HTTP, and `pause`, which waits between two tries of a request.

        A registry that `is_optional` has little time to accept a connection, and one try.
        """
        self._host = host
        self._pause = pause
        self._server = f"{'http' if insecure else 'https'}://{DOCKER_HUB.get(host, host)}"
        self._is_optional = is_optional
        connect_seconds = OPTIONAL_CONNECT_SECONDS if is_optional else http.CONNECT_SECONDS
        self._pool = http.pool(self._server, read_seconds=ANSWER_SECONDS, connect_seconds=connect_seconds)
        self._auth = RegistryAuth(
            self._pool, None if is_anonymous else credentials or from_docker_config(host)
        )

    def __enter__(self) -> Self:
        """Returns the registry itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes its connections."""
        self._pool.clear()

    def digest(self, repository: str, reference: str) -> str | None:
        """Returns the digest of a tag or digest; None only when the registry says that it has no such image.

        Raises:
            RegistryError: The registry was not reachable or refused.
        """
        response = self._send("HEAD", repository, f"manifests/{reference}", accept=ACCEPT)
        if response.status == 404:
            return None
        self._accept(response, f"look up {repository}:{reference}")
        return response.headers.get("docker-content-digest") or self._manifest(repository, reference)[0]

    def resolve(self, repository: str, reference: str, platform: str = "linux/amd64") -> ResolvedImage:
        """Resolves a tag or digest through its index to the image of one platform and its configuration.

        Raises:
            ImageNotFoundError: A part of it is missing, or there is no image for the platform.
            RegistryError: A part of it is not what its digest says, or as `digest`.
        """
        digest, manifest = self._manifest(repository, reference)
        platform_digest = digest
        if manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest:
            platform_digest = self._child(manifest, f"{repository}:{reference}", platform)
            platform_digest, manifest = self._manifest(repository, platform_digest)
        config_digest = manifest["config"]["digest"]
        response = self._send("GET", repository, f"blobs/{config_digest}")
        self._accept(response, f"read the configuration of {repository}:{reference}")
        _check_digest(response.data, config_digest, repository)
        image = json.loads(response.data)
        made_for = f"{image.get('os')}/{image.get('architecture')}"
        if made_for != platform:
            raise ImageNotFoundError(
                f"{self._host}/{repository}:{reference} is made for {made_for}, the nodes are {platform}.",
                remedy=f"Build it for {platform}.",
            )
        run = image.get("config") or {}
        return ResolvedImage(
            digest=digest,
            platform_digest=platform_digest,
            config_digest=config_digest,
            size_bytes=sum(layer["size"] for layer in manifest["layers"]),
            labels=run.get("Labels") or {},
            env=dict(entry.partition("=")[::2] for entry in run.get("Env") or ()),
        )

    def tag(self, repository: str, digest: str, tag: str) -> None:
        """Gives an image in the registry one more tag, or moves the tag to it; nothing is uploaded.

        Raises:
            RegistryError: The registry does not have the image, or refused.
        """
        response = self._send("GET", repository, f"manifests/{digest}", accept=ACCEPT)
        self._accept(response, f"read {repository}@{digest}")
        answer = self._send(
            "PUT",
            repository,
            f"manifests/{tag}",
            content=response.data,
            content_type=response.headers["content-type"],
        )
        self._accept(answer, f"tag {repository}@{digest} as {tag}")

    def _manifest(self, repository: str, reference: str) -> tuple[str, dict[str, Any]]:
        response = self._send("GET", repository, f"manifests/{reference}", accept=ACCEPT)
        self._accept(response, f"read {repository}:{reference}")
        digest = f"sha256:{hashlib.sha256(response.data).hexdigest()}"
        if reference.startswith("sha256:"):
            _check_digest(response.data, reference, repository)
        manifest: dict[str, Any] = json.loads(response.data)
        return digest, manifest

    def _child(self, index: Mapping[str, Any], shown: str, platform: str) -> str:
        built = {
            f"{entry['platform']['os']}/{entry['platform']['architecture']}": str(entry["digest"])
            for entry in index["manifests"]
            if "platform" in entry
        }
        if platform not in built:
            offered = ", ".join(sorted(built)) or "none"
            raise ImageNotFoundError(
                f"{self._host}/{shown} has no image for {platform}, only {offered}.",
                remedy=f"Build it for {platform}.",
            )
        return built[platform]

    def _send(
        self,
        method: str,
        repository: str,
        path: str,
        *,
        accept: str = "*/*",
        content: bytes | None = None,
        content_type: str | None = None,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._server}/v2/{repository}/{path}"
        headers = {"accept": accept} | ({"content-type": content_type} if content_type else {})
        tries = 0
        while True:
            tries += 1
            try:
                response = self._request(method, url, headers, content)
            except HTTPError as error:
                if self._is_optional or tries == TRIES:
                    raise RegistryUnreachableError(
                        f"The registry {self._host} did not answer: {http.reason_of(error)}.",
                        remedy="Check its name and the network; for plain HTTP set registry.insecure.",
                    ) from error
            else:
                if tries == TRIES or response.status not in PASSING_FAULTS:
                    return response
            self._pause(tries)

    def _request(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        """Sends a request, and after a challenge sends it once more with the credentials it asks for."""
        known = self._auth.known(method, url)
        response = self._pool.request(method, url, body=content, headers={**headers, **known})
        if response.status != 401:
            return response
        answer = self._auth.answer(method, url, response.headers.get("www-authenticate", ""))
        if answer is None:
            return response
        return self._pool.request(method, url, body=content, headers={**headers, **answer})

    def _accept(self, response: urllib3.BaseHTTPResponse, verb: str) -> None:
        if response.status < 300:
            return
        remedy = {
            401: f"Log in with `docker login {self._host}`.",
            403: f"Log in with `docker login {self._host}` as a user who may do that.",
            404: "Push the image first, or correct its name.",
        }.get(response.status, "Run the command again; if it fails again, check the registry's own log.")
        reason = f"{response.status} {_reason(response)}"
        kind = ImageNotFoundError if response.status == 404 else RegistryError
        kind = RegistryDeniedError if response.status in DENIED else kind
        raise kind(f"The registry {self._host} refused to {verb}: {reason}.", remedy=remedy)


def _check_digest(content: bytes, digest: str, repository: str) -> None:
    actual = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if actual != digest:
        raise RegistryError(
            f"The registry gave other content for {repository}@{digest}: {actual}.",
            remedy="Its storage or a proxy in front of it is damaged; push the image again.",
        )


def _reason(response: urllib3.BaseHTTPResponse) -> str:
    try:
        return ", ".join(
            f"{error['code']}: {error.get('message', '')}" for error in response.json()["errors"]
        )
    except (ValueError, KeyError, TypeError):
        return response.reason or ""
