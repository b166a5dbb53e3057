"""The issuer's public keys, fetched over HTTP and cached.

Three rules limit the load on the issuer and the effect of an outage: there is one fetch at a time, for which
only callers without a usable key wait; while the issuer does not answer, its last keys stay valid for
`MAX_STALE_SECONDS`; and tokens with invented key ids cause at most one request every
`REFRESH_INTERVAL_SECONDS`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt

from todo_kit.logging import get_logger
from todo_kit.problems import UnavailableError

TTL_SECONDS = 300.0
REFRESH_INTERVAL_SECONDS = 10.0
FIRST_RETRY_SECONDS = 1.0  # while there are no keys at all, every caller is refused
MAX_STALE_SECONDS = 3600.0  # four times a token's lifetime; longer would keep a revoked key for no benefit
_FETCH_TIMEOUT_SECONDS = 3.0

_log = get_logger(__name__)


class KeysUnavailableError(UnavailableError):
    """The issuer's keys are not cached and cannot be fetched."""

    title = "Sign-in keys unavailable"


class KeySet:
    """The Ed25519 keys of one JWKS URL, by key id."""

    def __init__(
        self, url: str, client: httpx2.AsyncClient, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepares; nothing is fetched yet. `clock` returns seconds that never go back."""
        self._url = url
        self._client = client
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Returns the key, or None when the issuer does not publish it.

        Raises:
            KeysUnavailableError: There are no cached keys that may still be trusted.
        """
        if self._needs_fetch(key_id) and not (self._lock.locked() and key_id in self._keys):
            async with self._lock:
                if self._needs_fetch(key_id):
                    await self._fetch()
                    if (
                        self._fetched_at is None
                    ):  # a replica that has just started has nothing to fall back on
                        await self._fetch()
        if not self._is_within(self._fetched_at, MAX_STALE_SECONDS):
            raise KeysUnavailableError("The keys that verify tokens cannot be fetched. Try again shortly.")
        return self._keys.get(key_id)

    def _needs_fetch(self, key_id: str) -> bool:
        has_fresh_key = key_id in self._keys and self._is_within(self._fetched_at, TTL_SECONDS)
        interval = FIRST_RETRY_SECONDS if self._fetched_at is None else REFRESH_INTERVAL_SECONDS
        return not has_fresh_key and not self._is_within(self._tried_at, interval)

    def _is_within(self, instant: float | None, seconds: float) -> bool:
        return instant is not None and self._clock() - instant < seconds

    async def _fetch(self) -> None:
        try:
            response = await self._client.get(self._url, timeout=_FETCH_TIMEOUT_SECONDS)
            response.raise_for_status()
            self._keys = _ed25519_keys(response.json())
            self._fetched_at = self._clock()
        except (httpx2.HTTPError, ValueError, jwt.PyJWTError) as error:
            _log.warning("jwks_fetch_failed", url=self._url, error=repr(error))
        self._tried_at = self._clock()  # only now: callers that come during the fetch must wait for it


def _ed25519_keys(document: Any) -> dict[str, jwt.PyJWK]:
    """Returns the keys of a JWK set (RFC 7517) that may sign our tokens; an unusable key is left out.

    Raises:
        ValueError: The document is not a JWK set, or none of its keys is usable.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("the document is not a JWK set")
    keys = {}
    for item in document["keys"]:
        if isinstance(item, dict) and isinstance(item.get("kid"), str) and item.get("crv") == "Ed25519":
            try:
                keys[item["kid"]] = jwt.PyJWK(item, algorithm="EdDSA")
            except jwt.PyJWTError as error:
                _log.warning("jwk_unusable", key_id=item["kid"], error=repr(error))
    if document["keys"] and not keys:
        raise ValueError("the JWK set has no usable key")
    return keys
