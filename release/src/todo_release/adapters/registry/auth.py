"""Shows a registry what it asks for: a bearer token from its token service, or a name and password.

The registry says in a 401 which one it wants (distribution's token specification); a token is kept for the
repository and right it was given for, so that the next request does not ask again.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import urllib3

from todo_release.adapters.registry.credentials import Credentials
from todo_release.errors import RegistryError

DENIED = (401, 403)
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
Headers = Mapping[str, str]
NOTHING: Headers = {}


class DeniedError(RegistryError):
    """The registry, or its token service, does not accept these credentials for this image."""


class RegistryAuth:
    """Answers the challenges of one registry; without credentials it asks for an anonymous token."""

    def __init__(self, pool: urllib3.PoolManager, credentials: Credentials | None) -> None:
        """`pool` reaches token services. Nothing is sent yet."""
        self._pool = pool
        self._password: Headers = (
            urllib3.make_headers(basic_auth=f"{credentials.username}:{credentials.password}")
            if credentials
            else NOTHING
        )
        self._known: dict[tuple[str, bool], Headers] = {}

    def known(self, method: str, url: str) -> Headers:
        """The headers that a request to the registry is sent with."""
        return self._known.get(_key(method, url), NOTHING)

    def answer(self, method: str, url: str, challenge: str) -> Headers | None:
        """The headers that a 401 asks for in `www-authenticate`; None when there is nothing to show.

        Raises:
            RegistryError: the token service gave no token.
            urllib3.exceptions.HTTPError: it did not answer.
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

    def _token(self, host: str, asked: Mapping[str, str]) -> str:
        parameters = urlencode({name: value for name, value in asked.items() if name in {"service", "scope"}})
        realm = asked.get("realm", "")
        response = self._pool.request(
            "GET", f"{realm}{'&' if '?' in realm else '?'}{parameters}", headers=self._password
        )
        if response.status >= 300:
            kind = DeniedError if response.status in DENIED else RegistryError
            raise kind(
                f"The token service of {host} refused: {response.status} {response.reason}.",
                remedy=f"Log in with `docker login {host}`.",
            )
        body = response.json()
        return str(body.get("token") or body["access_token"])


def _key(method: str, url: str) -> tuple[str, bool]:
    """The repository of a request, and whether it writes."""
    return url.split("/manifests/", maxsplit=1)[0].split("/blobs/", maxsplit=1)[0], method == "PUT"
