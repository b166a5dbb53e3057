"""Authenticates to a registry: with a bearer token of its token service, or with a name and password.

The registry says in a 401 which one it wants (distribution's token specification). A token is kept for the
repository and right that it was given for, so that the next request does not ask for another.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import urllib3

from todo_release.adapters.http import Headers
from todo_release.adapters.registry.credentials import Credentials
from todo_release.errors import RegistryError

DENIED = (401, 403)
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
NO_HEADERS: Headers = {}


class RegistryDeniedError(RegistryError):
    """The registry, or its token service, does not accept these credentials for this image."""


class RegistryAuth:
    """Answers the challenges of one registry; without credentials it asks for an anonymous token."""

    def __init__(self, pool: urllib3.PoolManager, credentials: Credentials | None) -> None:
        """Takes a `pool` for the requests to token services. Nothing is sent yet."""
        self._pool = pool
        self._password: Headers = (
            urllib3.make_headers(basic_auth=f"{credentials.username}:{credentials.password}")
            if credentials
            else NO_HEADERS
        )
        self._known: dict[tuple[str, bool], Headers] = {}

    def known(self, method: str, url: str) -> Headers:
        """Returns the headers with which a request to the registry is sent."""
        return self._known.get(_key(method, url), NO_HEADERS)

    def answer(self, method: str, url: str, challenge: str) -> Headers | None:
        """Returns the headers that a 401 asks for in `www-authenticate`; None without credentials for it.

        Raises:
            RegistryError: The token service gave no token.
            urllib3.exceptions.HTTPError: The token service did not answer.
        """
        scheme, _, parameters = challenge.partition(" ")
        if scheme.lower() == "bearer":
            token = self._token(urlsplit(url).hostname or "", dict(PARAMETER.findall(parameters)))
            self._known[_key(method, url)] = {"authorization": f"Bearer {token}"}
        elif scheme.lower() == "basic" and self._password:
            self._known[_key(method, url)] = self._password
        else:
            return None
        return self._known[_key(method, url)]

    def _token(self, host: str, challenge: Mapping[str, str]) -> str:
        parameters = urlencode(
            {name: value for name, value in challenge.items() if name in {"service", "scope"}}
        )
        realm = challenge.get("realm", "")
        response = self._pool.request(
            "GET", f"{realm}{'&' if '?' in realm else '?'}{parameters}", headers=self._password
        )
        if response.status >= 300:
            kind = RegistryDeniedError if response.status in DENIED else RegistryError
            raise kind(
                f"The token service of {host} refused: {response.status} {response.reason}.",
                remedy=f"Log in with `docker login {host}`.",
            )
        body = response.json()
        return str(body.get("token") or body["access_token"])


def _key(method: str, url: str) -> tuple[str, bool]:
    """Returns the repository of a request, and whether the request writes."""
    return url.split("/manifests/", maxsplit=1)[0].split("/blobs/", maxsplit=1)[0], method == "PUT"
