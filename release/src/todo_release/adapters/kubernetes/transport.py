"""Carries requests to an API server: directly with credentials that stand in the kubeconfig, and through the
kubernetes client with all others.

Both carry the same; the client takes a quarter of a second to load, which is half of a release that has
nothing to do (`nox -s bench`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from urllib3 import exceptions

from todo_release.adapters import http
from todo_release.adapters.kubernetes import kubeconfig as kubeconfigs
from todo_release.adapters.kubernetes.kubeconfig import Endpoint
from todo_release.adapters.kubernetes.objects import JsonObject

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

REQUEST_SECONDS = 20
TRIES = 3
JSON = "application/json"
Headers = Mapping[str, str]


class UnusableError(Exception):
    """There is no such kubeconfig or context, or its credentials cannot be had; the text says which."""


class UnreachableError(Exception):
    """The server did not answer; the text says why, in one line."""


class Connection(Protocol):
    """Carries requests, from several threads at once."""

    def send(
        self, method: str, path: str, body: JsonObject | str | None, headers: Headers
    ) -> tuple[int, str]:
        """Send to a path (with its query) and return status and text, whatever they are.

        A body is JSON unless it is text with a `Content-Type` among the headers.

        Raises:
            UnreachableError: nobody answered.
        """


def connect(context: str | None, kubeconfig: Path | None) -> Connection:
    """A connection with the rights of a context; nothing is sent yet.

    Raises:
        UnusableError: the kubeconfig does not give one.
    """
    endpoint = kubeconfigs.endpoint(context, kubeconfig)
    return Direct(endpoint) if endpoint else ThroughClient.connect(context, kubeconfig)


class Direct:
    """A connection of our own."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Nothing is sent yet."""
        self._server = endpoint.server
        self._headers = endpoint.headers
        self._pool = http.pool(endpoint.server, read_seconds=REQUEST_SECONDS, tls=endpoint.tls)

    def send(
        self, method: str, path: str, body: JsonObject | str | None, headers: Headers
    ) -> tuple[int, str]:
        """See `Connection.send`; a question whose answer was cut off is asked again."""
        content = json.dumps(body) if isinstance(body, dict) else body
        sent = {"Content-Type": JSON, **self._headers, **headers}
        tries = 0
        while True:
            tries += 1
            try:
                response = self._pool.request(method, f"{self._server}{path}", body=content, headers=sent)
                return response.status, response.data.decode(errors="replace")
            except exceptions.HTTPError as error:
                reason = error.reason if isinstance(error, exceptions.MaxRetryError) else error
                if tries == TRIES or method != "GET" or not isinstance(reason, exceptions.ProtocolError):
                    raise UnreachableError(http.told(error)) from error


class ThroughClient:
    """A connection of the kubernetes client; answers stay text, which costs a tenth of its models."""

    def __init__(self, client: "ApiClient") -> None:
        """Nothing is sent yet."""
        self._client = client

    @classmethod
    def connect(cls, context: str | None, kubeconfig: Path | None) -> "ThroughClient":
        """See `connect`."""
        from kubernetes import config

        try:
            client = config.new_client_from_config(  # type: ignore[no-untyped-call]  # not annotated
                config_file=str(kubeconfig) if kubeconfig else None, context=context, persist_config=False
            )
        except config.ConfigException as error:
            raise UnusableError(str(error)) from error
        return cls(client)

    def send(
        self, method: str, path: str, body: JsonObject | str | None, headers: Headers
    ) -> tuple[int, str]:
        """See `Connection.send`."""
        from kubernetes.client import ApiException

        try:
            verb, url, sent, *_ = self._client.param_serialize(
                method, path, header_params=dict(headers), auth_settings=["BearerToken"]
            )
            response = self._client.call_api(verb, url, sent, body=body, _request_timeout=REQUEST_SECONDS)
            content: bytes = response.read()  # type: ignore[no-untyped-call]  # not annotated
            return response.status, content.decode(errors="replace")
        except (ApiException, exceptions.HTTPError, OSError) as error:
            raise UnreachableError(str(error).splitlines()[0]) from error
