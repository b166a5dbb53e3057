"""The check of a running application, against servers that answer as a test says."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

import pytest
from rich.console import Console as RichConsole

from todo_local.checks import check_application
from todo_local.console import Console
from todo_local.errors import CheckError


class Server(ThreadingHTTPServer):
    """Every service at once: answers GET with 200, `/metrics` if healthy only, and refuses all else."""

    is_healthy = True


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Answers as the server is."""
        self.send_response(503 if self.path == "/metrics" and not self.server.is_healthy else 200)
        self.end_headers()

    def do_POST(self) -> None:
        """Refuses whatever the synthetic user sends."""
        self.send_response(418)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    with Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(server: Server) -> tuple[CheckError, str]:
    """Checks; returns the error and what was shown."""
    output = StringIO()
    console = Console(RichConsole(file=output), quiet_lines=True)
    port = server.server_port
    with pytest.raises(CheckError) as failed:
        check_application(f"http://127.0.0.1:{port}", {"shop": port}, console)
    return failed.value, output.getvalue()


def test_service_that_does_not_answer_is_the_error(server: Server) -> None:
    """Its URL and status are named; the checks that passed are shown."""
    server.is_healthy = False
    error, shown = check(server)
    assert error.problem == f"http://127.0.0.1:{server.server_port}/metrics answered 503 instead of 200: ''."
    assert "shop /readyz" in shown
    assert "shop /metrics" not in shown


def test_failed_step_of_the_synthetic_user_is_the_error(server: Server) -> None:
    """The step is named, with a hint; exit code and form are those of every other error."""
    error, shown = check(server)
    assert error.exit_code == 1
    assert str(error) == (
        "The synthetic user failed at 'sign up': POST /api/auth/sign-up/email answered 418 instead of 200: "
        "''. The logs of the services this step goes through say why."
    )
    assert "origin /sign-in" in shown
