"""Smoke checks against real servers on this machine; time is made up."""

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from todo_release.config.model import HttpCheck, SmokeSettings, TlsCheck
from todo_release.environments.smoke import checks as smoke
from todo_release.environments.smoke.origin import Origin
from todo_release.environments.smoke.user_journey import TransactionError

from ...doubles.scripted import FakeClock

Answer = tuple[int, str]


class Site:
    """A server whose answers by path can be changed; a path is a list of answers, of which the last stays."""

    def __init__(self) -> None:
        """Nothing is there."""
        self.answers: dict[str, list[Answer]] = {}
        self.url = ""

    def answer(self, path: str) -> Answer:
        """The next answer of a path."""
        found = self.answers.get(path, [(404, "")])
        return found.pop(0) if len(found) > 1 else found[0]


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """Start servers, plain or with TLS."""
    running = []

    def start(tls: ssl.SSLContext | None = None) -> Site:
        site = Site()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """The next answer."""
                status, body = site.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
                """Nobody reads it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        site.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        return site

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def verdicts(spec: SmokeSettings, site: Site, clock: FakeClock | None = None) -> list[tuple[str, bool, str]]:
    """Run the checks; name, verdict and what was seen."""
    results = smoke.run(spec, site.url, clock=clock or FakeClock())
    return [(one.name, one.is_ok, one.detail) for one in results]


def test_http_checks_see_status_text_and_json(serve: Callable[..., Site]) -> None:
    """A JSON answer may hold more than is asked for."""
    site = serve()
    site.answers = {
        "/api": [(200, '{"status": "ok", "version": "1"}')],
        "/page": [(200, "<h1>Shop</h1>")],
        "/in": [(401, "")],
    }
    checks = (
        HttpCheck(path="/api", json={"status": "ok"}),
        HttpCheck(path="/page", contains="Shop"),
        HttpCheck(path="/in", status=401),
    )
    assert verdicts(SmokeSettings(http=checks), site) == [
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
def test_what_is_wrong_is_told_with_what_was_seen(
    serve: Callable[..., Site], answer: Answer, check: HttpCheck, seen: str
) -> None:
    """One reason each."""
    site = serve()
    site.answers = {"/": [answer]}
    assert verdicts(SmokeSettings(http=(check,), timeout_seconds=1), site) == [("GET /", False, seen)]


def test_failing_check_is_tried_again_until_the_time_is_over(serve: Callable[..., Site]) -> None:
    """An ingress needs seconds to hear of new pods; a failure that stays uses the time up, once for all."""
    site, clock = serve(), FakeClock()
    site.answers = {"/late": [(503, ""), (503, ""), (200, "")], "/never": [(503, "")]}
    spec = SmokeSettings(http=(HttpCheck(path="/late"), HttpCheck(path="/never"), HttpCheck(path="/gone")))
    assert [is_ok for _, is_ok, _ in verdicts(spec, site, clock)] == [True, False, False]
    assert clock.seconds == spec.timeout_seconds


def test_nobody_answering_is_a_failed_check() -> None:
    """Port 1 answers nobody."""
    (result,) = smoke.run(
        SmokeSettings(http=(HttpCheck(path="/"),), timeout_seconds=1), "http://127.0.0.1:1", clock=FakeClock()
    )
    assert (result.is_ok, "refused" in result.detail) == (False, True)


def test_transaction_is_not_repeated_sooner_than_accounts_may_be_made(
    serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last failure is told, in the words of the step that failed."""
    attempts = []

    def fail(origin: Origin) -> None:
        attempts.append(origin)
        raise TransactionError("sign up", "nobody is there")

    monkeypatch.setattr(smoke, "run_transaction", fail)
    (result,) = verdicts(SmokeSettings(transaction=True, timeout_seconds=40), serve())
    assert result == (
        "transaction", False, "The synthetic transaction failed at 'sign up': nobody is there."
    )  # fmt: skip
    assert len(attempts) == 3


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """An authority of one's own, and the file that holds its certificate."""
    made, path = trustme.CA(), tmp_path / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    return made, path


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """What a server with a certificate for a name serves with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_certificate_is_trusted_by_the_authority_given(
    serve: Callable[..., Site], authority: tuple[trustme.CA, Path]
) -> None:
    """And valid for as long as is asked."""
    made, path = authority
    site = serve(tls(made, "127.0.0.1"))
    ((name, is_ok, detail),) = verdicts(SmokeSettings(tls=TlsCheck(days=7), ca_file=str(path)), site)
    assert (name, is_ok) == ("TLS", True)
    assert detail.startswith("trusted, valid until ")


def test_certificate_that_ends_too_soon_fails(
    serve: Callable[..., Site], authority: tuple[trustme.CA, Path]
) -> None:
    """A certificate that is not renewed is seen before users see it."""
    made, path = authority
    spec = SmokeSettings(tls=TlsCheck(days=10**6), ca_file=str(path), timeout_seconds=1)
    ((_, is_ok, detail),) = verdicts(spec, serve(tls(made, "127.0.0.1")))
    assert (is_ok, detail.startswith("the certificate ends in ")) == (False, True)


@pytest.mark.parametrize(("name", "is_known"), [("127.0.0.1", False), ("other.test", True)])
def test_certificate_of_a_stranger_or_for_another_name_fails(
    serve: Callable[..., Site], authority: tuple[trustme.CA, Path], name: str, is_known: bool
) -> None:
    """Nothing is ever accepted unverified."""
    made, path = authority
    spec = SmokeSettings(tls=TlsCheck(), ca_file=str(path) if is_known else None, timeout_seconds=1)
    ((_, is_ok, detail),) = verdicts(spec, serve(tls(made, name)))
    assert (is_ok, "CERTIFICATE_VERIFY_FAILED" in detail) == (False, True)


def test_plain_http_has_no_certificate_to_check(serve: Callable[..., Site]) -> None:
    """The check is left out rather than failed."""
    assert verdicts(SmokeSettings(tls=TlsCheck()), serve()) == []
