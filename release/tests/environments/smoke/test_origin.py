"""Connections that go to another address than the one the URL names."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from todo_release.environments.smoke.origin import HttpOrigin


class _Handler(BaseHTTPRequestHandler):
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
def port() -> Iterator[int]:
    """The port of a running server."""
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_client_sends_the_name_of_the_url_wherever_it_connects(port: int) -> None:
    """The ingress routes by that name, and cookies belong to it: they are sent back."""
    origin = HttpOrigin("http://shop.test", connect_to=("127.0.0.1", port))
    with origin.client() as client:
        assert client.get("/").text == "shop.test None"
        assert client.get("/").text == "shop.test session=s1"
        assert [cookie.domain for cookie in client.cookies.jar] == ["shop.test"]
