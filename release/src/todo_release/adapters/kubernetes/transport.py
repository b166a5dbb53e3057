"""Carries requests to an API server, over a connection of the engine's own or the kubernetes client's.

Credentials that are written in the kubeconfig need no client: it takes a quarter of a second to load, which
is half of a release that has nothing to do (`nox -s bench`). All other credentials go through the client.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import yaml
from urllib3 import exceptions

from todo_release.adapters import http
from todo_release.adapters.http import Headers
from todo_release.adapters.kubernetes import kubeconfig as kubeconfigs
from todo_release.adapters.kubernetes.kubeconfig import Endpoint
from todo_release.adapters.kubernetes.objects import JsonObject

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

REQUEST_SECONDS = 20
TRIES = 3
# What the client raises for values of a kubeconfig that it does not expect.
BY_INVALID_VALUES = (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError)
JSON = "application/json"


class KubeconfigError(Exception):
    """There is no such kubeconfig or context, or its credentials cannot be obtained; the text says which."""


class ApiUnreachableError(Exception):
    """The server did not answer; the text says why, in one line."""


class Connection(Protocol):
    """Sends requests to an API server; safe to use from several threads."""

    def send(
        self, method: str, path: str, body: JsonObject | str | None, headers: Headers
    ) -> tuple[int, str]:
        """Sends a request to a path (with its query) and returns status and text, whatever they are.

        A body is JSON unless it is text with a `Content-Type` among the headers.

        Raises:
            ApiUnreachableError: There was no answer.
        """


def connect(
    context: str | None, kubeconfig: Path | None, *, request_seconds: float = REQUEST_SECONDS
) -> Connection:
    """Returns a connection with the rights of a context; nothing is sent yet.

    A request waits for its answer for `request_seconds`.

    Raises:
        KubeconfigError: The kubeconfig does not have this context, or no usable credentials for it.
    """
    endpoint = kubeconfigs.endpoint(context, kubeconfig)
    if endpoint:
        return DirectConnection(endpoint, request_seconds=request_seconds)
    return ClientConnection.connect(context, kubeconfig, request_seconds=request_seconds)


class DirectConnection:
    """A connection that the engine opens itself, with the credentials of an endpoint."""

    def __init__(self, endpoint: Endpoint, *, request_seconds: float = REQUEST_SECONDS) -> None:
        """Prepares the connection; nothing is sent yet."""
        self._server = endpoint.server
        self._headers = endpoint.headers
        self._pool = http.pool(endpoint.server, read_seconds=request_seconds, tls=endpoint.tls)

    def send(
        self, method: str, path: str, body: JsonObject | str | None, headers: Headers
    ) -> tuple[int, str]:
        """See `Connection.send`; a GET whose answer was cut off is sent again."""
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
                    raise ApiUnreachableError(http.reason_of(error)) from error


class ClientConnection:
    """A connection of the kubernetes client; answers stay text, at a tenth of the cost of its models."""

    def __init__(self, client: "ApiClient", *, request_seconds: float = REQUEST_SECONDS) -> None:
        """Prepares the connection; nothing is sent yet."""
        self._client = client
        self._request_seconds = request_seconds

    @classmethod
    def connect(
        cls, context: str | None, kubeconfig: Path | None, *, request_seconds: float = REQUEST_SECONDS
    ) -> "ClientConnection":
        """See `connect`."""
        from kubernetes import config

        try:
            client = config.new_client_from_config(  # type: ignore[no-untyped-call]  # not annotated
                config_file=str(kubeconfig) if kubeconfig else None, context=context, persist_config=False
            )
        except (config.ConfigException, *BY_INVALID_VALUES) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise KubeconfigError(reason or type(error).__name__) from error
        return cls(client, request_seconds=request_seconds)

    def send(
        self, method: str, path: str, body: JsonObject | str | None, headers: Headers
    ) -> tuple[int, str]:
        """See `Connection.send`."""
        from kubernetes.client import ApiException

        try:
            verb, url, sent, *_ = self._client.param_serialize(
                method, path, header_params=dict(headers), auth_settings=["BearerToken"]
            )
            response = self._client.call_api(
                verb, url, sent, body=body, _request_timeout=self._request_seconds
            )
            content: bytes = response.read()  # type: ignore[no-untyped-call]  # not annotated
            return response.status, content.decode(errors="replace")
        except (ApiException, exceptions.HTTPError, OSError) as error:
            raise ApiUnreachableError(str(error).splitlines()[0]) from error
