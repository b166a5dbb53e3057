"""Connections that go elsewhere than the name they ask for."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from todo_release.environments.smoke.origin import Origin


class _Handler(BaseHTTPRequestHandler):
    """Answers with the Host and Cookie headers it got, and sets a cookie."""

    def do_GET(self) -> None:
        """What was asked for."""
        body = f"{self.headers['host']} {self.headers['cookie']}".encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "session=s1; Path=/; HttpOnly")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    """A server on a free port."""
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_client_asks_for_the_urls_name_wherever_it_connects(port: int) -> None:
    """The ingress routes by that name, and a browser's cookies belong to it: they come back."""
    origin = Origin("http://shop.test", connect_to=("127.0.0.1", port))
    with origin.client() as client:
        assert client.get("/").text == "shop.test None"
        assert client.get("/").text == "shop.test session=s1"
        assert [cookie.domain for cookie in client.cookies.jar] == ["shop.test"]
