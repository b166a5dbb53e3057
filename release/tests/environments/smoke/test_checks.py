"""Smoke checks against real servers on this machine, with a fake clock."""

import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from todo_release.config.model import AnsweredBuild, HttpCheck, SmokeCommand, SmokeSettings, TlsCheck
from todo_release.environments.smoke import checks as smoke
from todo_release.environments.smoke.result import SmokeTarget

from ...doubles.scripted import FakeClock

Answer = tuple[int, str]


class Server:
    """A server whose answers can be changed: a list for each path, of which the last answer stays."""

    def __init__(self) -> None:
        """Starts without any path."""
        self.answers: dict[str, list[Answer]] = {}
        self.url = ""

    def answer(self, path: str) -> Answer:
        """Returns the next answer of a path."""
        answers = self.answers.get(path, [(404, "")])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers, plain or with TLS."""
    running = []

    def start(tls: ssl.SSLContext | None = None) -> Server:
        server = Server()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Sends the next answer."""
                status, body = server.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
                """Keeps the test's output clean."""

        http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        http_server.daemon_threads = True
        if tls:
            http_server.socket = tls.wrap_socket(http_server.socket, server_side=True)
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((http_server, thread))
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{http_server.server_port}"
        return server

    yield start
    for http_server, thread in running:
        http_server.shutdown()
        thread.join()
        http_server.server_close()


def results_of(
    settings: SmokeSettings, server: Server, clock: FakeClock | None = None
) -> list[tuple[str, bool, str]]:
    """Runs the checks; returns name, result and what was seen."""
    results = smoke.run(settings, target_of(server.url), clock=clock or FakeClock())
    return [(result.name, result.is_ok, result.detail) for result in results]


def target_of(url: str) -> SmokeTarget:
    """What is checked at a URL."""
    return SmokeTarget(url, "1.0.0", Path.cwd())


def test_http_checks_see_status_text_and_json(serve: Callable[..., Server]) -> None:
    """A JSON answer may hold more than is asked for."""
    server = serve()
    server.answers = {
        "/api": [(200, '{"status": "ok", "version": "1"}')],
        "/page": [(200, "<h1>Shop</h1>")],
        "/in": [(401, "")],
    }
    checks = (
        HttpCheck(path="/api", json={"status": "ok"}),
        HttpCheck(path="/page", contains="Shop"),
        HttpCheck(path="/in", status=401),
    )
    assert results_of(SmokeSettings(http=checks), server) == [
        ("GET /api", True, "200"),
        ("GET /page", True, "200"),
        ("GET /in", True, "401"),
    ]


@pytest.mark.parametrize(
    ("answer", "check", "seen"),
    [
        ((503, ""), HttpCheck(path="/"), "answered 503 instead of 200"),
        ((200, "Error"), HttpCheck(path="/", contains="Shop"), "'Shop' is not in 'Error'"),
        ((200, "<html>"), HttpCheck(path="/", json={"a": 1}), "answered no JSON but '<html>'"),
        ((200, "[1]"), HttpCheck(path="/", json={"a": 1}), "'a' is None instead of 1"),
        ((200, '{"a": 2}'), HttpCheck(path="/", json={"a": 1}), "'a' is 2 instead of 1"),
    ],
)
def test_failed_check_reports_what_was_seen(
    serve: Callable[..., Server], answer: Answer, check: HttpCheck, seen: str
) -> None:
    """Each kind of failure has its own message."""
    server = serve()
    server.answers = {"/": [answer]}
    assert results_of(SmokeSettings(http=(check,), timeout_seconds=1), server) == [("GET /", False, seen)]


BUILD = AnsweredBuild(image="web", json="build", answers=3)


def build_results(server: Server, check: HttpCheck, builds: dict[str, str]) -> list[tuple[bool, str]]:
    """Runs one check where builds are known; returns its result and what was seen."""
    settings = SmokeSettings(http=(check,), timeout_seconds=3)
    target = SmokeTarget(server.url, "1.0.0", Path.cwd(), builds)
    return [(result.is_ok, result.detail) for result in smoke.run(settings, target, clock=FakeClock())]


def test_check_passes_after_enough_answers_in_a_row_from_the_released_build(
    serve: Callable[..., Server],
) -> None:
    """An ingress that still sends to old pods mixes their answers with those of new ones."""
    server = serve()
    old, new = (200, '{"build": "old"}'), (200, '{"build": "new"}')
    server.answers = {"/": [new, new, old, new, old, new, new, new]}
    check = HttpCheck(path="/", build=BUILD)
    assert build_results(server, check, {"web": "new"}) == [(True, "200, 3 in a row from web new")]
    server.answers = {"/": [old]}
    assert build_results(server, check, {"web": "new"}) == [
        (False, "build 'old' of web answered instead of 'new'")
    ]


@pytest.mark.parametrize(
    ("answer", "build", "seen"),
    [
        ((200, "{}"), BUILD, "the answer has no key 'build', which should say its build"),
        ((200, "<html>"), BUILD, "answered no JSON but '<html>'"),
        (
            (200, ""),
            AnsweredBuild(image="web", header="x-build"),
            "the answer has no header x-build, which should say its build",
        ),
        ((503, "{}"), BUILD, "answered 503 instead of 200"),
    ],
)
def test_answer_that_does_not_say_its_build_fails(
    serve: Callable[..., Server], answer: Answer, build: AnsweredBuild, seen: str
) -> None:
    """What is missing is named."""
    server = serve()
    server.answers = {"/": [answer]}
    assert build_results(server, HttpCheck(path="/", build=build), {"web": "new"}) == [(False, seen)]


def test_build_may_stand_in_a_header(serve: Callable[..., Server]) -> None:
    """Any header may have it; its name's case does not matter."""
    server = serve()
    server.answers = {"/": [(200, "")]}
    check = HttpCheck(path="/", build=AnsweredBuild(image="web", header="content-LENGTH"))
    assert build_results(server, check, {"web": "0"}) == [(True, "200, 3 in a row from web 0")]


def test_unknown_build_is_shown_and_not_compared(serve: Callable[..., Server]) -> None:
    """Nothing recorded which build was released, for example before the first release."""
    server = serve()
    server.answers = {"/": [(200, '{"build": "b1"}')]}
    assert build_results(server, HttpCheck(path="/", build=BUILD), {}) == [
        (True, "200, 3 in a row from web, whose released build is not known: b1")
    ]


def test_failing_check_is_tried_again_until_the_time_is_over(serve: Callable[..., Server]) -> None:
    """An ingress needs seconds to notice new pods; a lasting failure uses up the time of all checks."""
    server, clock = serve(), FakeClock()
    server.answers = {"/late": [(503, ""), (503, ""), (200, "")], "/never": [(503, "")]}
    settings = SmokeSettings(
        http=(HttpCheck(path="/late"), HttpCheck(path="/never"), HttpCheck(path="/gone"))
    )
    assert [is_ok for _, is_ok, _ in results_of(settings, server, clock)] == [True, False, False]
    assert clock.seconds == settings.timeout_seconds


def test_refused_connection_is_a_failed_check() -> None:
    """Nobody listens on port 1."""
    (result,) = smoke.run(
        SmokeSettings(http=(HttpCheck(path="/"),), timeout_seconds=1),
        target_of("http://127.0.0.1:1"),
        clock=FakeClock(),
    )
    assert (result.is_ok, "refused" in result.detail) == (False, True)


def test_failing_program_is_not_repeated_sooner_than_a_user_may_act_again(tmp_path: Path) -> None:
    """It is run until the time is over; the error of its last run is the result."""
    runs = tmp_path / "runs"
    code = (
        f"open({str(runs)!r}, 'a').write('x'); "
        """print('{"step": "sign up", "milliseconds": 1, "error": "429"}'); raise SystemExit(1)"""
    )
    command = SmokeCommand(name="user", argv=(sys.executable, "-c", code))
    (result,) = smoke.run(
        SmokeSettings(commands=(command,), timeout_seconds=40),
        SmokeTarget("http://127.0.0.1:1", "1.0.0", tmp_path),
        clock=FakeClock(),
    )
    assert (result.name, result.is_ok, result.detail) == ("user", False, "sign up: 429")
    assert runs.read_text() == "xxx"


def test_missing_program_is_one_result_without_repetition(tmp_path: Path) -> None:
    """Waiting does not bring a program that is not installed."""
    clock = FakeClock()
    command = SmokeCommand(name="user", argv=("no-such-program",))
    (result,) = smoke.run(
        SmokeSettings(commands=(command,)), SmokeTarget("http://127.0.0.1:1", "1.0.0", tmp_path), clock=clock
    )
    assert (result.is_ok, result.steps) == (False, ())
    assert result.detail.startswith("the program 'no-such-program' was not found; install it")
    assert clock.seconds == 0


def test_steps_of_a_program_are_reported_while_it_runs_and_in_the_result(tmp_path: Path) -> None:
    """Each step is a line of output, before the line of the whole check."""
    code = """
print('{"step": "sign up", "milliseconds": 12.3}')
print('{"step": "list", "milliseconds": 4, "detail": "2"}')
"""
    command = SmokeCommand(name="user", argv=(sys.executable, "-c", code))
    lines: list[str] = []
    (result,) = smoke.run(
        SmokeSettings(commands=(command,)),
        SmokeTarget("http://127.0.0.1:1", "1.0.0", tmp_path),
        on_result=lines.append,
        clock=FakeClock(),
    )
    assert lines == ["ok  user, sign up: 12 ms", "ok  user, list: 4 ms, 2", "ok  user: 2 steps in 16 ms"]
    assert [step.name for step in result.steps] == ["sign up", "list"]


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority, and the file that holds its certificate."""
    ca, path = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, path


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Returns the TLS settings of a server with a certificate for this name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_certificate_of_the_given_authority_is_trusted(
    serve: Callable[..., Server], authority: tuple[trustme.CA, Path]
) -> None:
    """The result says until when it is valid."""
    ca, path = authority
    server = serve(tls(ca, "127.0.0.1"))
    ((name, is_ok, detail),) = results_of(SmokeSettings(tls=TlsCheck(days=7), ca_file=str(path)), server)
    assert (name, is_ok) == ("TLS", True)
    assert detail.startswith("trusted, valid until ")


def test_certificate_that_ends_too_soon_fails(
    serve: Callable[..., Server], authority: tuple[trustme.CA, Path]
) -> None:
    """A certificate that is not renewed is found before users meet it."""
    ca, path = authority
    settings = SmokeSettings(tls=TlsCheck(days=10**6), ca_file=str(path), timeout_seconds=1)
    ((_, is_ok, detail),) = results_of(settings, serve(tls(ca, "127.0.0.1")))
    assert (is_ok, detail.startswith("the certificate ends in ")) == (False, True)


@pytest.mark.parametrize(("name", "is_known"), [("127.0.0.1", False), ("other.test", True)])
def test_certificate_of_an_unknown_authority_or_for_another_name_fails(
    serve: Callable[..., Server], authority: tuple[trustme.CA, Path], name: str, is_known: bool
) -> None:
    """No certificate is accepted unverified."""
    ca, path = authority
    settings = SmokeSettings(tls=TlsCheck(), ca_file=str(path) if is_known else None, timeout_seconds=1)
    ((_, is_ok, detail),) = results_of(settings, serve(tls(ca, name)))
    assert (is_ok, "CERTIFICATE_VERIFY_FAILED" in detail) == (False, True)


def test_plain_http_has_no_certificate_to_check(serve: Callable[..., Server]) -> None:
    """The check is skipped."""
    assert results_of(SmokeSettings(tls=TlsCheck()), serve()) == []
