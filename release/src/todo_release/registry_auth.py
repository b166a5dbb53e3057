"""Shows a registry what it asks for: a bearer token from its token service, or a name and password.

The registry says in a 401 which one it wants (distribution's token specification); a token is kept for the
repository and right it was given for, so that the next request does not ask again.
"""

import re
from collections.abc import Generator

import httpx2

from todo_release.credentials import Credentials
from todo_release.errors import RegistryError

DENIED = (401, 403)
PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class DeniedError(RegistryError):
    """The registry, or its token service, does not accept these credentials for this image."""


class RegistryAuth(httpx2.Auth):
    """Answers the challenges of one registry; without credentials it asks for an anonymous token."""

    requires_response_body = True

    def __init__(self, credentials: Credentials | None) -> None:
        """Nothing is sent yet."""
        self._basic = httpx2.BasicAuth(credentials.username, credentials.password) if credentials else None
        self._known: dict[tuple[str, bool], str] = {}

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send with what is known; after a challenge get what it asks for and send once more.

        Raises:
            RegistryError: the token service gave no token.
        """
        key = (request.url.path.split("/manifests/")[0].split("/blobs/")[0], request.method == "PUT")
        if key in self._known:
            request.headers["authorization"] = self._known[key]
        response = yield request
        if response.status_code != 401:
            return
        scheme, _, parameters = response.headers.get("www-authenticate", "").partition(" ")
        if scheme.lower() == "bearer":
            token_request = self._token_request(dict(PARAMETER.findall(parameters)))
            self._known[key] = f"Bearer {_token(request.url.host, (yield token_request))}"
        elif scheme.lower() == "basic" and self._basic:
            self._known[key] = self._with_password(httpx2.Request("GET", request.url)).headers[
                "authorization"
            ]
        else:
            return
        request.headers["authorization"] = self._known[key]
        yield request

    def _token_request(self, asked: dict[str, str]) -> httpx2.Request:
        parameters = {name: value for name, value in asked.items() if name in {"service", "scope"}}
        request = httpx2.Request("GET", asked.get("realm", ""), params=parameters)
        return self._with_password(request)

    def _with_password(self, request: httpx2.Request) -> httpx2.Request:
        return next(self._basic.auth_flow(request)) if self._basic else request


def _token(host: str, response: httpx2.Response) -> str:
    if not response.is_success:
        kind = DeniedError if response.status_code in DENIED else RegistryError
        raise kind(
            f"The token service of {host} refused: {response.status_code} {response.reason_phrase}.",
            remedy=f"Log in with `docker login {host}`.",
        )
    body = response.json()
    return str(body.get("token") or body["access_token"])
