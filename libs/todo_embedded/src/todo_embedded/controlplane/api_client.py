"""A small client of the control plane's API server: JSON over HTTP with a client certificate.

It uses httpx2 and not the `kubernetes` client, which takes half a second to import and a thread per watch;
what it adds (kubeconfig files, other credentials, models) is not needed here.
"""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from todo_embedded.controlplane.object_paths import KubeObject, collection
from todo_embedded.controlplane.pki import KeyPair
from todo_embedded.errors import ApiError

REQUEST_SECONDS = 20
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class ApiClient:
    """Talks to one API server as one user; safe to use from several threads."""

    def __init__(self, url: str, *, authority: Path, user: KeyPair) -> None:
        """Prepares the client; it sends nothing yet."""
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(user.certificate, user.key)
        self._client = httpx2.Client(base_url=url, verify=self._tls, timeout=REQUEST_SECONDS, trust_env=False)

    def read(self, path: str) -> Any:
        """Returns what the server has at a path (`api/v1/nodes`), or None if it has nothing there."""
        response = self._client.get(path)
        return None if response.status_code == 404 else body_of(response)

    def items(self, path: str) -> list[Any]:
        """Returns the items of a list."""
        return list(body_of(self._client.get(path))["items"])

    def create(self, manifest: KubeObject, *, dry_run: bool = False) -> Any:
        """Creates an object and returns it as the server stored it."""
        params = {"dryRun": "All"} if dry_run else None
        return body_of(self._client.post(collection(manifest), json=manifest, params=params))

    def merge(self, path: str, patch: KubeObject) -> Any:
        """Changes an object by a JSON merge patch."""
        return body_of(self._client.patch(path, content=json.dumps(patch), headers=MERGE_PATCH))

    def delete(self, path: str) -> None:
        """Deletes an object, if it exists."""
        response = self._client.delete(path)
        if response.status_code != 404:
            body_of(response)

    def is_ready(self) -> bool:
        """Returns whether the server and all its start-up hooks are ready."""
        try:
            return self._client.get("readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def async_client(self) -> httpx2.AsyncClient:
        """Returns a client for an event loop, of the same server and user."""
        return httpx2.AsyncClient(
            base_url=self._url, verify=self._tls, timeout=REQUEST_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connections."""
        self._client.close()


def body_of(response: httpx2.Response) -> Any:
    """Returns the JSON body of a response.

    Raises:
        ApiError: the server refused the request.
    """
    if response.is_success:
        return response.json()
    try:
        reason = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        reason = response.text.strip()
    request = response.request
    raise ApiError(
        response.status_code,
        f"{request.method} {request.url.path} was refused ({response.status_code}): {reason}",
    )


async def watch(client: httpx2.AsyncClient, path: str) -> AsyncIterator[tuple[str, Any]]:
    """Yields the changes of a collection: first `ADDED` for each object, then every change.

    Changes are `ADDED`, `MODIFIED` and `DELETED`. The iteration ends when the server ends the watch; start it
    again then. Deletions between two watches are not reported.

    Raises:
        ApiError: the server refused the request.
    """
    timeout = httpx2.Timeout(REQUEST_SECONDS, read=None)
    async with client.stream("GET", path, params={"watch": "true"}, timeout=timeout) as response:
        if not response.is_success:
            await response.aread()
            body_of(response)
        async for line in response.aiter_lines():
            change = json.loads(line)
            if change["type"] == "ERROR":
                return
            yield change["type"], change["object"]
