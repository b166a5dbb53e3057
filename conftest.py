"""What the tests of every package share."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


def pytest_configure() -> None:
    """Hear SIGINT even when started in the background, where a shell has it ignored, by all children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows progress although pytest captures: the first run on a machine builds for minutes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def show(message: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{message}\n")

    return show


class _EchoHandler(BaseHTTPRequestHandler):
    """Answers with the Host and Cookie headers it got, and sets a cookie."""

    def do_GET(self) -> None:
        """Returns the headers of the request."""
        body = f"{self.headers['host']} {self.headers['cookie']}".encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "session=s1; Path=/; HttpOnly")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Keeps the test's output clean."""


@pytest.fixture
def echo_port() -> Iterator[int]:
    """Runs a server that answers with the Host and Cookie headers of a request and sets a cookie."""
    with HTTPServer(("127.0.0.1", 0), _EchoHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
