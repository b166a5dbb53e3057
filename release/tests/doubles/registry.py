"""A double of an image registry: the part of the distribution protocol that the engine uses, over HTTP."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

USER, PASSWORD, TOKEN = "ana", "s3cret:with:colons", "opaque"


def digest_of(content: bytes) -> str:
    """Returns the digest of content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class RegistryDouble:
    """The state of the registry.

    `auth` is what it demands (none, basic, bearer), `faults` are the statuses of its next answers, and
    `requests` records the requests it received.
    """

    host: str = ""
    auth: str = "none"
    content: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    hides_digest: bool = False

    def put(self, path: str, digest_path: str, body: bytes, kind: str = "") -> None:
        """Stores content under its name and under its digest."""
        for name in (path, digest_path):
            self.content[name], self.kinds[name] = body, kind


@contextmanager
def serve(double: RegistryDouble) -> Iterator[RegistryDouble]:
    """Serves the registry on a free port while the block runs."""

    class Handler(_Handler):
        registry = double

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        double.host = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    registry: ClassVar[RegistryDouble]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers with a token, a blob or a manifest."""
        path = self.path.partition("?")[0]
        if path == "/token":
            self._send_token()
        elif self._is_accepted():
            body = self.registry.content.get(path)
            if body is None:
                self._error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            else:
                self._answer(200, body, self.registry.kinds[path], {"Docker-Content-Digest": digest_of(body)})

    def do_HEAD(self) -> None:
        """Answers as GET, without a body."""
        self.do_GET()

    def do_POST(self) -> None:
        """Starts the upload of a blob."""
        if self._is_accepted():
            self._answer(202, b"", headers={"Location": f"http://{self.registry.host}{self.path}session"})

    def do_PUT(self) -> None:
        """Finishes the upload of a blob, or stores a manifest under a tag."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self._is_accepted():
            path = self.path.partition("?")[0].replace("/blobs/uploads/session", f"/blobs/{digest_of(body)}")
            folder = path.rpartition("/")[0]
            self.registry.put(path, f"{folder}/{digest_of(body)}", body, self.headers["content-type"] or "")
            self._answer(201, b"")

    def _is_accepted(self) -> bool:
        self.registry.requests.append(f"{self.command} {self.path}")
        if self.registry.faults:
            self._answer(self.registry.faults.pop(0), b"")
            return False
        required = {"none": None, "basic": self._basic(), "bearer": f"Bearer {TOKEN}"}[self.registry.auth]
        if required is None or self.headers["authorization"] == required:
            return True
        challenge = 'Basic realm="shop"'
        if self.registry.auth == "bearer":
            challenge = (
                f'Bearer realm="http://{self.registry.host}/token",service="shop",scope="repository:a:pull"'
            )
        self._error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        return False

    def _send_token(self) -> None:
        self.registry.requests.append(f"GET {self.path}")
        if self.headers["authorization"] == self._basic():
            self._answer(200, json.dumps({"token": TOKEN}).encode(), "application/json")
        else:
            self._error(403, "DENIED", "no such user")

    def _basic(self) -> str:
        return f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._answer(status, body, "application/json", headers)

    def _answer(
        self, status: int, body: bytes, kind: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            if not (self.registry.hides_digest and name == "Docker-Content-Digest"):
                self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Drops the line; tests read `requests`."""
