"""Talks to the API server of a control plane: JSON over HTTP with a client certificate, and no more.

httpx2 and not the `kubernetes` client: that takes half a second to import and a thread for each watch, and
what it adds (kubeconfig, other credentials, models) has no use here.
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from todo_embedded.controlplane.pki import KeyPair
from todo_embedded.errors import ApiError

REQUEST_SECONDS = 20
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}

Manifest = Mapping[str, Any]


class Api:
    """One API server, seen with the rights of one client certificate; safe to use from several threads."""

    def __init__(self, url: str, *, authority: Path, user: KeyPair) -> None:
        """Nothing is sent yet."""
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(user.certificate, user.key)
        self._client = httpx2.Client(base_url=url, verify=self._tls, timeout=REQUEST_SECONDS, trust_env=False)

    def read(self, path: str) -> Any:
        """GET a path below the server's root (`api/v1/nodes`); None when there is nothing."""
        response = self._client.get(path)
        return None if response.status_code == 404 else accept(response)

    def items(self, path: str) -> list[Any]:
        """The items of a list."""
        return list(accept(self._client.get(path))["items"])

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Any:
        """POST an object to the collection that its kind and namespace name."""
        return accept(
            self._client.post(
                collection(manifest), json=manifest, params={"dryRun": "All"} if dry_run else None
            )
        )

    def merge(self, path: str, patch: Manifest) -> Any:
        """PATCH an object by a JSON merge patch."""
        return accept(self._client.patch(path, content=json.dumps(patch), headers=MERGE_PATCH))

    def delete(self, path: str) -> None:
        """DELETE an object; that there is none is no error."""
        response = self._client.delete(path)
        if response.status_code != 404:
            accept(response)

    def is_ready(self) -> bool:
        """Tell whether the server and all its start-up hooks are ready."""
        try:
            return self._client.get("readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def asynchronous(self) -> httpx2.AsyncClient:
        """A client of the same server and rights for an event loop of its own."""
        return httpx2.AsyncClient(
            base_url=self._url, verify=self._tls, timeout=REQUEST_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._client.close()


def collection(manifest: Manifest) -> str:
    """Path of the collection that an object belongs to: `apis/apps/v1/namespaces/staging/deployments`.

    An object without a namespace is taken for one of the whole cluster. The plural is formed by the rule that
    Kubernetes guesses by (`meta.UnsafeGuessKindToResource`).
    """
    version, kind = manifest["apiVersion"], manifest["kind"].lower()
    if kind.endswith("s"):
        plural = f"{kind}es"
    elif kind.endswith("y"):
        plural = f"{kind[:-1]}ies"
    else:
        plural = f"{kind}s"
    root = f"apis/{version}" if "/" in version else f"api/{version}"
    namespace = manifest["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def location(manifest: Manifest) -> str:
    """Path of an object."""
    return f"{collection(manifest)}/{manifest['metadata']['name']}"


def accept(response: httpx2.Response) -> Any:
    """The body of an answer. Raises ApiError when it is a refusal."""
    if response.is_success:
        return response.json()
    try:
        said = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        said = response.text.strip()
    request = response.request
    raise ApiError(
        response.status_code,
        f"{request.method} {request.url.path} was refused ({response.status_code}): {said}",
    )


async def watch(client: httpx2.AsyncClient, path: str) -> AsyncIterator[tuple[str, Any]]:
    """What happens to a collection: first `ADDED` with each object, then `ADDED`, `MODIFIED` or `DELETED`.

    Ends when the server ends it; then watch again. What is deleted in between is not told. Raises ApiError.
    """
    timeout = httpx2.Timeout(REQUEST_SECONDS, read=None)
    async with client.stream("GET", path, params={"watch": "true"}, timeout=timeout) as response:
        if not response.is_success:
            await response.aread()
            accept(response)
        async for line in response.aiter_lines():
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            yield event["type"], event["object"]
