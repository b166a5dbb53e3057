"""Issues tokens as the frontend's Better Auth does."""

import time
import uuid
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm


class TokenIssuer:
    """Issues tokens, and serves their keys over HTTP on 127.0.0.1 while it is entered.

    `fetches` counts the requests for keys. While `is_failing` is set, they are answered with 503.
    """

    def __init__(self, issuer: str = "http://issuer.test") -> None:
        """Creates the first key; the server starts when the block is entered."""
        self.issuer = issuer
        self.fetches = 0
        self.is_failing = False
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self.key_id = self.rotate()
        self._server: ThreadingHTTPServer | None = None
        self._stack = ExitStack()

    def rotate(self, *, keep_old: bool = True) -> str:
        """Signs with a new key from now on and returns its id; older keys stay published if `keep_old`."""
        if not keep_old:
            self._keys.clear()
        self.key_id = uuid.uuid4().hex
        self._keys[self.key_id] = Ed25519PrivateKey.generate()
        return self.key_id

    @property
    def jwks_url(self) -> str:
        """The URL of the keys; raises RuntimeError before the issuer is entered."""
        if self._server is None:
            raise RuntimeError("enter the TokenIssuer first: its key server is not running")
        return f"http://127.0.0.1:{self._server.server_port}/api/auth/jwks"

    def token(
        self, user_id: str, *, audience: str | list[str] = "todo-api", ttl: float = 900, **claims: Any
    ) -> str:
        """Returns a token for `user_id` that expires in `ttl` seconds; a claim that is None is left out."""
        now = int(time.time())
        payload = {"sub": user_id, "iss": self.issuer, "aud": audience, "iat": now, "exp": now + ttl} | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self._keys[self.key_id], algorithm="EdDSA", headers={"kid": self.key_id})

    def key_set(self) -> dict[str, Any]:
        """Returns the published JWK set."""
        return {
            "keys": [
                OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id, "alg": "EdDSA"}
                for key_id, key in self._keys.items()
            ]
        }

    def __enter__(self) -> Self:
        """Starts the key server."""
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
                """Suppresses the access log."""

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
        """Stops the key server."""
        self._stack.close()
        self._server = None
