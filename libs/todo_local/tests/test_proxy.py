"""The origin, with a real Caddy before doubles of the services."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from todo_embedded.ports import free_port
from todo_embedded.tools import cache_dir
from todo_local.proxy import proxy

SERVICES = ("frontend", "backend", "notification", "sse-gateway", "mcp")


class ServiceDouble(ThreadingHTTPServer):
    """Answers with its own name; /sse answers with half an event and waits before the other half."""

    daemon_threads = True

    def __init__(self, name: str, may_go_on: threading.Event) -> None:
        """Listens on a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.name = name
        self.may_go_on = may_go_on


class Handler(BaseHTTPRequestHandler):
    """See ServiceDouble."""

    server: ServiceDouble

    def do_GET(self) -> None:
        """Answers with the name of the service and the address that the proxy named."""
        self.send_response(200)
        if self.path == "/sse/tasks":
            self.end_headers()
            self.wfile.write(b"first\n")
            self.server.may_go_on.wait(10)
            self.wfile.write(b"second\n")
        else:
            self.send_header("X-Seen-Client", self.headers["X-Forwarded-For"])
            self.send_header("X-Seen-Host", self.headers["Host"])
            self.end_headers()
            self.wfile.write(self.server.name.encode())

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


class RunningProxy:
    """The origin's URL, the home of the user who runs it, and the switch of the slow stream."""

    def __init__(self, port: int, home: Path, may_go_on: threading.Event) -> None:
        """Keeps them."""
        self.port = port
        self.home = home
        self.may_go_on = may_go_on
        self.url = f"http://localhost:{port}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy before one double for each service."""
    folder, port, may_go_on = tmp_path_factory.mktemp("caddy"), free_port(), threading.Event()
    with ExitStack() as stack:
        upstreams = {}
        for name in SERVICES:
            service = stack.enter_context(ServiceDouble(name, may_go_on))
            thread = threading.Thread(target=service.serve_forever, daemon=True)
            thread.start()
            stack.callback(service.shutdown)
            upstreams[name] = service.server_port
        home = tmp_path_factory.mktemp("home")
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("XDG_CACHE_HOME", str(cache_dir().parent))
        environment.setenv("HOME", str(home))
        ignore = [].append
        stack.enter_context(proxy(port, upstreams, folder, log=ignore, progress=ignore))
        yield RunningProxy(port, home, may_go_on)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "frontend"),
        ("/sign-in", "frontend"),
        ("/apiary", "frontend"),
        ("/api/auth/token", "frontend"),
        ("/api/authors", "backend"),
        ("/api/todos", "backend"),
        ("/api/health", "backend"),
        ("/api/notifications", "notification"),
        ("/api/notifications/1/read", "notification"),
        ("/sse", "sse-gateway"),
        ("/mcp", "mcp"),
        ("/.well-known/oauth-protected-resource/mcp", "mcp"),
        ("/.well-known/other", "frontend"),
    ],
)
def test_path_reaches_its_service(running: RunningProxy, path: str, service: str) -> None:
    """Prefixes match whole path segments, and the longest wins, as with the cluster's Ingress."""
    assert httpx2.get(f"{running.url}{path}").text == service


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_service_sees_client_and_public_host(running: RunningProxy, host: str) -> None:
    """The rate limit needs the client's address, links need the host that the browser used."""
    headers = httpx2.get(f"http://{host}:{running.port}/").headers
    assert headers["X-Seen-Client"] in {"127.0.0.1", "::1"}
    assert headers["X-Seen-Host"] == f"{host}:{running.port}"


def test_stream_is_passed_on_at_once(running: RunningProxy) -> None:
    """A live event does not wait for the one after it."""
    with httpx2.stream("GET", f"{running.url}/sse/tasks", timeout=5) as response:
        lines = response.iter_lines()
        assert next(lines) == "first"  # while the service holds the second back
        running.may_go_on.set()
        assert next(lines) == "second"


def test_proxy_writes_nothing_to_the_home(running: RunningProxy) -> None:
    """No certificates, no saved configuration and no lock files."""
    assert httpx2.get(running.url).status_code == 200
    assert list(running.home.iterdir()) == []
