"""Requests to an API server: retries of reads only, bodies, credentials and proxies."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from todo_release.adapters.kubernetes.kubeconfig import Endpoint
from todo_release.adapters.kubernetes.transport import ApiUnreachableError, DirectConnection

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yields the URL of a server with one answer for each connection, and the requests it received.

    With an empty answer it closes the connection.
    """
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:  # shut down below
                    return
                with connection:
                    requests.append(_request(connection))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _request(connection: socket.socket) -> bytes:
    """Reads one request; its body may arrive later than its head."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def connection_to(url: str) -> DirectConnection:
    """Returns a connection to a server."""
    return DirectConnection(Endpoint(url, ssl.create_default_context(), {"authorization": "Bearer t"}))


def test_get_is_sent_again_when_the_answer_was_cut_off() -> None:
    """Reading twice changes nothing."""
    with answering(b"", ANSWER) as (url, requests):
        assert connection_to(url).send("GET", "/version", None, {}) == (200, "hi")
    assert len(requests) == 2


def test_post_is_not_sent_again_when_the_answer_was_cut_off() -> None:
    """The server may have carried it out."""
    with answering(b"", ANSWER) as (url, requests), pytest.raises(ApiUnreachableError):
        connection_to(url).send("POST", "/api", {"a": 1}, {})
    assert len(requests) == 1


def test_body_is_json_unless_a_content_type_is_given() -> None:
    """Every request has the credentials."""
    with answering(ANSWER, ANSWER) as (url, requests):
        connection_to(url).send("POST", "/api", {"a": 1}, {})
        connection_to(url).send("PATCH", "/api", "a: 1", {"Content-Type": "application/apply-patch+yaml"})
    assert b"Content-Type: application/json" in requests[0]
    assert requests[0].endswith(b'{"a": 1}')
    assert b"Content-Type: application/apply-patch+yaml" in requests[1]
    assert requests[1].endswith(b"a: 1")
    assert all(b"authorization: Bearer t" in request for request in requests)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The usual variables are read, in lower and upper case."""
    with answering(ANSWER) as (url, requests):
        monkeypatch.setenv(name, url)
        assert connection_to("http://api.test").send("GET", "/version", None, {}) == (200, "hi")
    assert requests[0].startswith(b"GET http://api.test/version ")


def test_server_in_no_proxy_is_contacted_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Internal clusters are often not reachable through the proxy."""
    with answering(ANSWER) as (url, requests):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert connection_to(url).send("GET", "/version", None, {}) == (200, "hi")
    assert requests[0].startswith(b"GET /version ")
