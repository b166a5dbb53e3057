"""Stand-ins and waiting for the tests of every service; depends on no test framework.

with TokenIssuer() as issuer:
    settings = Settings(jwt_issuer=issuer.issuer, jwks_url=issuer.jwks_url, ...)
    headers = {"Authorization": f"Bearer {issuer.token('user-a')}"}
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

import httpx2
import jwt
import orjson
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_kit.bus import PublishError


class TokenIssuer:
    """Issues tokens as Better Auth does, and serves their keys over HTTP on 127.0.0.1 while it is entered.

    `fetches` counts answered key requests; set `is_failing` to have them answered with 503.
    """

    def __init__(self, issuer: str = "http://issuer.test") -> None:
        """Make the first key; the server starts on entering."""
        self.issuer = issuer
        self.fetches = 0
        self.is_failing = False
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self.key_id = self.rotate()
        self._server: ThreadingHTTPServer | None = None
        self._stack = ExitStack()

    def rotate(self, *, keep_old: bool = True) -> str:
        """Sign with a new key from now on, and return its id; the old ones stay published if `keep_old`."""
        if not keep_old:
            self._keys.clear()
        self.key_id = uuid.uuid4().hex
        self._keys[self.key_id] = Ed25519PrivateKey.generate()
        return self.key_id

    @property
    def jwks_url(self) -> str:
        """Where the keys are served."""
        if self._server is None:
            raise RuntimeError("enter the TokenIssuer first: its key server is not running")
        return f"http://127.0.0.1:{self._server.server_port}/api/auth/jwks"

    def token(
        self, user_id: str, *, audience: str | list[str] = "todo-api", ttl: float = 900, **claims: Any
    ) -> str:
        """Return a token for `user_id` that expires in `ttl` seconds; a claim given as None is left out."""
        now = int(time.time())
        payload = {"sub": user_id, "iss": self.issuer, "aud": audience, "iat": now, "exp": now + ttl} | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self._keys[self.key_id], algorithm="EdDSA", headers={"kid": self.key_id})

    def key_set(self) -> dict[str, Any]:
        """Return the published JWK set."""
        return {
            "keys": [
                OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id, "alg": "EdDSA"}
                for key_id, key in self._keys.items()
            ]
        }

    def __enter__(self) -> Self:
        """Start serving keys."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                body = orjson.dumps(issuer.key_set())
                self.send_response(503 if issuer.is_failing else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Say nothing: pytest shows what matters."""

        server = self._stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)
        self._server = server
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving keys."""
        self._stack.close()
        self._server = None


@dataclass(frozen=True)
class PublishedEvent:
    """One event as it was handed to the publisher."""

    topic: str
    data: bytes
    event_id: str
    event_type: str
    key: str


class MemoryPublisher:
    """A `Publisher` that keeps events in `published` and delivers them to applications that subscribed.

    Delivers as daprd does: the CloudEvent goes to the route that `/dapr/subscribe` names. `outcomes` has the
    answer (`SUCCESS`, `DROP`, `RETRY`) of each delivery; nothing is delivered again. Set `is_failing` to have
    `publish` raise.
    """

    def __init__(self, *subscribers: FastAPI) -> None:
        """Deliver to `subscribers`, all of their subscriptions to a topic."""
        self.published: list[PublishedEvent] = []
        self.outcomes: list[str] = []
        self.is_failing = False
        self._subscribers = subscribers

    async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
        """Keep and deliver the event; raises `PublishError` while `is_failing`."""
        if self.is_failing:
            raise PublishError(f"{topic} did not take {event_id}: the test said so")
        self.published.append(PublishedEvent(topic, data, event_id, event_type, key))
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "type": event_type,
            "source": "test",
            "time": datetime.now(UTC).isoformat(),
            "topic": topic,
            "datacontenttype": "application/json",
            "data": orjson.loads(data),
        }
        for app in self._subscribers:
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://app.test"
            ) as client:
                for entry in (await client.get("/dapr/subscribe")).json():
                    if entry["topic"] == topic:
                        response = await client.post(entry["route"], json=envelope)
                        self.outcomes.append(response.json()["status"])


async def wait_until(condition: Callable[[], object], *, timeout_seconds: float = 10.0) -> None:
    """Return as soon as `condition()` is true; raises `TimeoutError` when that takes too long."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110 - the condition is anything, so there is no event to wait for
            await asyncio.sleep(0.01)


async def schema_drift(engine: AsyncEngine, metadata: MetaData) -> list[Any]:
    """Return what Alembic would still have to do to bring the migrated database to `metadata`."""
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _parents: kind != "schema" or name == metadata.schema,
        "include_object": lambda _object, name, _kind, _reflected, _to: name != "alembic_version",
        "compare_server_default": True,
    }
    async with engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: list(compare_metadata(MigrationContext.configure(sync, opts=options), metadata))
        )
