"""What is carried to an API server: tried again only where nothing can happen twice, and through proxies."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from todo_release.adapters.kubernetes.kubeconfig import Endpoint
from todo_release.adapters.kubernetes.transport import Direct, UnreachableError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a server that gives one answer a connection (none at all for an empty one), and what it
    was asked.
    """
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:  # shut down below
                    return
                with connection:
                    asked.append(_request(connection))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _request(connection: socket.socket) -> bytes:
    """All of one request, whose body may come later than its head."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def direct(url: str) -> Direct:
    """A connection to a server."""
    return Direct(Endpoint(url, ssl.create_default_context(), {"authorization": "Bearer t"}))


def test_question_whose_answer_was_cut_off_is_asked_again() -> None:
    """Reading twice changes nothing."""
    with answering(b"", ANSWER) as (url, asked):
        assert direct(url).send("GET", "/version", None, {}) == (200, "hi")
    assert len(asked) == 2


def test_change_whose_answer_was_cut_off_is_not_made_again() -> None:
    """It may have been carried out."""
    with answering(b"", ANSWER) as (url, asked), pytest.raises(UnreachableError):
        direct(url).send("POST", "/api", {"a": 1}, {})
    assert len(asked) == 1


def test_body_is_json_unless_it_is_called_otherwise() -> None:
    """With the credentials."""
    with answering(ANSWER, ANSWER) as (url, asked):
        direct(url).send("POST", "/api", {"a": 1}, {})
        direct(url).send("PATCH", "/api", "a: 1", {"Content-Type": "application/apply-patch+yaml"})
    assert b"Content-Type: application/json" in asked[0]
    assert asked[0].endswith(b'{"a": 1}')
    assert b"Content-Type: application/apply-patch+yaml" in asked[1]
    assert asked[1].endswith(b"a: 1")
    assert all(b"authorization: Bearer t" in one for one in asked)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As every other program here does."""
    with answering(ANSWER) as (url, asked):
        monkeypatch.setenv(name, url)
        assert direct("http://api.test").send("GET", "/version", None, {}) == (200, "hi")
    assert asked[0].startswith(b"GET http://api.test/version ")


def test_server_that_needs_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters are often inside, where the proxy does not lead."""
    with answering(ANSWER) as (url, asked):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert direct(url).send("GET", "/version", None, {}) == (200, "hi")
    assert asked[0].startswith(b"GET /version ")
