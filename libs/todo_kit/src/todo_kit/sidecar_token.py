"""The token by which an application and its Dapr sidecar recognise each other.

Dapr sends the token in the header `dapr-api-token` with every request to the application, and requires it in
every request to its own API. Another pod that posts an event to the application does not know it.
"""

import hmac
from http import HTTPStatus

from fastapi import Request
from pydantic import SecretStr

from todo_kit.problems import ProblemError

HEADER = "dapr-api-token"


class NotTheSidecarError(ProblemError):
    """A request to a route of the sidecar came without the sidecar's token."""

    status_code = HTTPStatus.FORBIDDEN
    title = "Only for the sidecar"


class SidecarOnly:
    """A dependency of routes that only the sidecar may call, by the token of `APP_API_TOKEN`."""

    def __init__(self, token: SecretStr) -> None:
        """Admits requests with `token`."""
        self._token = token.get_secret_value().encode()

    async def __call__(self, request: Request) -> None:
        """Raises `NotTheSidecarError` for any other token; the time it takes does not depend on the token."""
        sent = request.headers.get(HEADER, "").encode("latin-1")
        if not hmac.compare_digest(sent, self._token):
            raise NotTheSidecarError(f"The header {HEADER} is missing or is not the token of this sidecar.")
