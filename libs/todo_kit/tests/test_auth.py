"""Verification of tokens against a real key server: acceptance, refusal, and requests to the issuer."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Depends

from todo_kit.app import create_service
from todo_kit.auth import InvalidTokenError, Principal, TokenVerifier, current_principal
from todo_kit.jwks import (
    FIRST_RETRY_SECONDS,
    MAX_STALE_SECONDS,
    REFRESH_INTERVAL_SECONDS,
    TTL_SECONDS,
    KeySet,
    KeysUnavailableError,
)
from todo_kit.settings import ServiceSettings
from todo_kit.testing import ManualClock, TokenIssuer


@pytest.fixture
async def verifier(issuer: TokenIssuer) -> AsyncIterator[TokenVerifier]:
    """Returns a verifier of the issuer's tokens for `todo-api`."""
    verifier = TokenVerifier(issuer.issuer, "todo-api", issuer.jwks_url)
    yield verifier
    await verifier.aclose()


@pytest.fixture
def clock() -> ManualClock:
    """Returns a clock that stands still."""
    return ManualClock(1000.0)


@pytest.fixture
async def keys(issuer: TokenIssuer, clock: ManualClock) -> AsyncIterator[KeySet]:
    """Returns a key set on that clock."""
    async with httpx2.AsyncClient() as client:
        yield KeySet(issuer.jwks_url, client, clock=clock)


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Returns a token that is assembled by hand."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def test_valid_token_gives_its_user_and_expiry(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    """A token of Better Auth, with several audiences, gives its user and the time of its expiry."""
    token = issuer.token("user-a", audience=["todo-api", "todo-mcp"], ttl=60)
    principal = await verifier.verify(token)
    assert principal.user_id == "user-a"
    assert abs(principal.expires_at - (datetime.now(UTC) + timedelta(seconds=60))) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "todo-mcp"},
        {"ttl": -60},
        {"iss": "http://elsewhere.test"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\x00b"},
        {"exp": 10**30},
        {"exp": "9999999999"},
        {"iat": 99_999_999_999},
        {"nbf": 99_999_999_999},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"iss": None},
        {"aud": None},
    ],
    ids=str,
)
async def test_token_with_a_wrong_or_missing_claim_is_refused(
    verifier: TokenVerifier, issuer: TokenIssuer, changes: dict[str, Any]
) -> None:
    """A valid signature is not enough: issuer, subject, audience and times must be right too."""
    with pytest.raises(InvalidTokenError):
        await verifier.verify(issuer.token("user-a", **changes))


async def test_token_signed_by_another_key_is_refused(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    """A signature made with another key is refused, also under a published key id."""
    claims = jwt.decode(issuer.token("user-a"), options={"verify_signature": False})
    unknown_key = Ed25519PrivateKey.generate()
    token = jwt.encode(claims, unknown_key, algorithm="EdDSA", headers={"kid": issuer.key_id})
    with pytest.raises(InvalidTokenError):
        await verifier.verify(token)


@pytest.mark.parametrize("algorithm", ["none", "ES256", "RS256", "eddsa"])
async def test_token_of_another_algorithm_is_refused(
    verifier: TokenVerifier, issuer: TokenIssuer, algorithm: str
) -> None:
    """Only EdDSA is accepted; for other algorithms the issuer's keys are not even fetched."""
    claims = jwt.decode(issuer.token("user-a"), options={"verify_signature": False})
    with pytest.raises(InvalidTokenError):
        await verifier.verify(forged({"alg": algorithm, "kid": issuer.key_id}, claims, b"signature"))
    assert issuer.fetches == 0


async def test_token_signed_with_the_public_key_as_hmac_secret_is_refused(
    verifier: TokenVerifier, issuer: TokenIssuer
) -> None:
    """Key confusion (CVE-2022-29217): the public key, which everyone can read, must not sign."""
    claims = jwt.decode(issuer.token("user-a"), options={"verify_signature": False})
    public_key = issuer.key_set()["keys"][0]["x"]
    token = jwt.encode(claims, public_key, algorithm="HS256", headers={"kid": issuer.key_id})
    with pytest.raises(InvalidTokenError):
        await verifier.verify(token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJFZERTQSJ9..", forged({"alg": "EdDSA"}, {})])
async def test_text_that_is_no_usable_jwt_is_refused(verifier: TokenVerifier, token: str) -> None:
    """Arbitrary text, and a token that names no key, are refused as invalid tokens."""
    with pytest.raises(InvalidTokenError):
        await verifier.verify(token)


async def test_refusal_never_repeats_the_token(verifier: TokenVerifier, issuer: TokenIssuer) -> None:
    """The detail, which is sent and logged, does not contain the token."""
    token = issuer.token("user-a", ttl=-60)
    with pytest.raises(InvalidTokenError) as refusal:
        await verifier.verify(token)
    assert token not in str(refusal.value)
    assert refusal.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_concurrent_tokens_cause_a_single_request_to_the_issuer(
    verifier: TokenVerifier, issuer: TokenIssuer
) -> None:
    """Keys are fetched once, also when the first tokens arrive at the same time."""
    token = issuer.token("user-a")
    await asyncio.gather(*(verifier.verify(token) for _ in range(20)))
    assert issuer.fetches == 1


async def test_new_key_is_fetched_when_a_token_names_it(
    keys: KeySet, issuer: TokenIssuer, clock: ManualClock
) -> None:
    """After a rotation, the first token with the new key id causes a fetch."""
    await keys.find(issuer.key_id)
    new = issuer.rotate()
    clock.now += REFRESH_INTERVAL_SECONDS
    assert await keys.find(new) is not None
    assert issuer.fetches == 2


async def test_invented_key_ids_cause_a_single_request_per_interval(
    keys: KeySet, issuer: TokenIssuer, clock: ManualClock
) -> None:
    """However many tokens name unknown keys, the issuer gets one request in each interval."""
    for _ in range(50):
        assert await keys.find("invented") is None
    clock.now += REFRESH_INTERVAL_SECONDS
    for _ in range(50):
        assert await keys.find("invented") is None
    assert issuer.fetches == 2


async def test_withdrawn_key_is_dropped_at_the_next_fetch(
    keys: KeySet, issuer: TokenIssuer, clock: ManualClock
) -> None:
    """A key that the issuer no longer publishes is accepted only until the cached keys expire."""
    old = issuer.key_id
    assert await keys.find(old) is not None
    issuer.rotate(keep_old=False)
    clock.now += TTL_SECONDS
    assert await keys.find(old) is None


async def test_last_keys_stay_valid_while_the_issuer_fails(
    keys: KeySet, issuer: TokenIssuer, clock: ManualClock
) -> None:
    """An outage of the frontend signs nobody out, and causes a fetch per interval and not per request."""
    assert await keys.find(issuer.key_id) is not None
    issuer.is_failing = True
    clock.now += TTL_SECONDS
    for _ in range(10):
        assert await keys.find(issuer.key_id) is not None
    assert issuer.fetches == 2


async def test_keys_are_not_trusted_after_an_hour_without_the_issuer(
    keys: KeySet, issuer: TokenIssuer, clock: ManualClock
) -> None:
    """After an hour of failures tokens cannot be checked any more, which is a 503 and not a 401."""
    await keys.find(issuer.key_id)
    issuer.is_failing = True
    clock.now += MAX_STALE_SECONDS
    with pytest.raises(KeysUnavailableError):
        await keys.find(issuer.key_id)


async def test_recovered_issuer_is_asked_again_soon_while_there_are_no_keys(
    keys: KeySet, issuer: TokenIssuer, clock: ManualClock
) -> None:
    """Without any keys the answer is 503 until the issuer answers."""
    issuer.is_failing = True
    with pytest.raises(KeysUnavailableError):
        await keys.find(issuer.key_id)
    issuer.is_failing = False
    clock.now += FIRST_RETRY_SECONDS
    assert await keys.find(issuer.key_id) is not None


async def test_first_caller_of_a_new_replica_survives_one_failed_fetch(
    issuer: TokenIssuer, clock: ManualClock
) -> None:
    """In a rollout of everything, new replicas ask an issuer whose pods are changing too."""
    answers = iter([httpx2.Response(502), httpx2.Response(200, json=issuer.key_set())])
    transport = httpx2.MockTransport(lambda _request: next(answers))
    async with httpx2.AsyncClient(transport=transport) as client:
        assert await KeySet(issuer.jwks_url, client, clock=clock).find(issuer.key_id) is not None


async def test_slow_issuer_delays_a_single_request(issuer: TokenIssuer, clock: ManualClock) -> None:
    """While one request fetches the keys, other requests use the cached ones."""
    is_first, is_renewing, release = True, asyncio.Event(), asyncio.Event()

    async def answer(_request: httpx2.Request) -> httpx2.Response:
        nonlocal is_first
        if not is_first:
            is_renewing.set()
            await release.wait()
        is_first = False
        return httpx2.Response(200, json=issuer.key_set())

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        keys = KeySet(issuer.jwks_url, client, clock=clock)
        await keys.find(issuer.key_id)
        clock.now += TTL_SECONDS
        renewing = asyncio.create_task(keys.find(issuer.key_id))
        async with asyncio.timeout(5):
            await is_renewing.wait()
            assert await keys.find(issuer.key_id) is not None
        assert not renewing.done()
        release.set()
        assert await renewing is not None


@pytest.mark.parametrize("body", ["", "[]", '{"keys": 1}', '{"keys": [{"kid": "a", "crv": "Ed25519"}]}'])
async def test_answer_that_is_no_key_set_counts_as_a_failure(clock: ManualClock, body: str) -> None:
    """An error page of a proxy counts as an outage and not as an empty key set."""
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, text=body))
    async with httpx2.AsyncClient(transport=transport) as client:
        with pytest.raises(KeysUnavailableError):
            await KeySet("http://issuer.test/jwks", client, clock=clock).find("a")


@pytest.mark.parametrize("bad", [{}, {"x": "!!"}, {"x": 5}, {"kty": 7}], ids=str)
async def test_unusable_key_does_not_discard_the_others(
    issuer: TokenIssuer, clock: ManualClock, bad: dict[str, Any]
) -> None:
    """One broken key in the set must not sign everybody out."""
    key_set = issuer.key_set()
    key_set["keys"].insert(0, {"kid": "bad", "crv": "Ed25519", "kty": "OKP"} | bad)
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=key_set))
    async with httpx2.AsyncClient(transport=transport) as client:
        keys = KeySet("http://issuer.test/jwks", client, clock=clock)
        assert await keys.find(issuer.key_id) is not None
        assert await keys.find("bad") is None


@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        ({}, 401, "Bearer"),
        ({"Authorization": "Basic dTpw"}, 401, "Bearer"),
        ({"Authorization": "Bearer nonsense"}, 401, 'Bearer error="invalid_token"'),
    ],
)
async def test_refusal_has_the_challenge_of_rfc_6750(
    settings: ServiceSettings, verifier: TokenVerifier, headers: dict[str, str], status: int, challenge: str
) -> None:
    """Without a token the challenge is bare; with an invalid token it names the error."""
    response = await _whoami(settings, verifier, headers)
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (status, challenge)


async def test_route_gets_the_caller(
    settings: ServiceSettings, verifier: TokenVerifier, issuer: TokenIssuer
) -> None:
    """The dependency returns the user of the token."""
    response = await _whoami(settings, verifier, {"Authorization": f"Bearer {issuer.token('user-a')}"})
    assert response.json() == "user-a"


async def _whoami(
    settings: ServiceSettings, verifier: TokenVerifier, headers: dict[str, str]
) -> httpx2.Response:
    app = create_service(settings)
    app.state.verifier = verifier

    @app.get("/whoami")
    async def whoami(caller: Annotated[Principal, Depends(current_principal)]) -> str:
        return caller.user_id

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.test") as client:
        return await client.get("/whoami", headers=headers)
