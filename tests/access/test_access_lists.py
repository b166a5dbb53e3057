"""Which operations Dapr lets one service invoke on another: real sidecars with the chart's Configurations."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
import yaml

from todo_embedded.daprd import daprd_sidecar
from todo_embedded.probe import answers
from todo_embedded.sentry import sentry
from todo_release.core.tables import Table

from .test_admission import rendered

APPS = ("backend", "mcp", "notification")
APP_TOKEN, API_TOKEN = "token-of-the-application", "token-of-the-sidecar"
READY_SECONDS = 60


class Echo(BaseHTTPRequestHandler):
    """An application that answers with what it was asked; it subscribes to nothing."""

    def answer(self) -> None:
        """Answers any request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        names = {"token": "dapr-api-token", "precondition": "If-Match"}
        seen = {"asked": f"{self.command} {self.path}"} | {
            key: self.headers[name] for key, name in names.items() if name in self.headers
        }
        body = json.dumps(seen).encode()
        self.send_response(404 if self.path.startswith("/dapr/") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  # the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Writes nothing."""


@contextmanager
def application() -> Iterator[int]:
    """Runs an application and yields its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@dataclass(frozen=True)
class Sidecars:
    """The sidecars of production, by app id: the URL of each one's API."""

    urls: Mapping[str, str]

    def invoke(
        self, caller: str, verb: str, path: str, token: str = API_TOKEN, **headers: str
    ) -> httpx2.Response:
        """Invokes `app/path` through the caller's sidecar."""
        app, _, method = path.partition("/")
        url = f"{self.urls[caller]}/v1.0/invoke/{app}/method/{method}"
        return httpx2.request(verb, url, headers={"dapr-api-token": token, **headers}, timeout=20)


@pytest.fixture(scope="module")
def sidecars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecars]:
    """Three sidecars that read the Configurations which the chart renders, and prove their identities."""
    folder = tmp_path_factory.mktemp("dapr")
    (folder / "resources").mkdir()
    for item in rendered("production"):
        if item["kind"] == "Configuration":
            (folder / f"{item['metadata']['name']}.yaml").write_text(yaml.safe_dump(item))
    with ExitStack() as stack:
        authority = stack.enter_context(sentry(folder))
        tokens = {"APP_API_TOKEN": APP_TOKEN, "DAPR_API_TOKEN": API_TOKEN}
        urls = {}
        for app in APPS:
            sidecar = stack.enter_context(
                daprd_sidecar(
                    app,
                    stack.enter_context(application()),
                    folder / "resources",
                    env={**authority.environment("production"), **tokens},
                    options={**authority.daprd_options, "config": str(folder / f"todo-app-{app}.yaml")},
                )
            )
            urls[app] = sidecar.url
        wait_until_ready(urls)
        yield Sidecars(urls)


def wait_until_ready(urls: Mapping[str, str]) -> None:
    """Returns when every sidecar has found its application; fails after a minute."""
    deadline = time.monotonic() + READY_SECONDS
    while not all(answers(f"{url}/v1.0/healthz") for url in urls.values()):
        assert time.monotonic() < deadline, f"a sidecar is not ready within {READY_SECONDS} s"
        threading.Event().wait(0.1)


ALLOWED = [
    ("GET", "/api/todos"),
    ("GET", "/api/todos?limit=5"),
    ("POST", "/api/todos"),
    ("PATCH", "/api/todos/1"),
    ("DELETE", "/api/todos/1"),
]
DENIED = [
    ("mcp", "PUT", "backend/api/todos/1"),
    ("mcp", "DELETE", "backend/api/todos/1/history"),
    ("mcp", "GET", "backend/api/todos/1/history"),
    ("mcp", "GET", "backend/api/notifications"),
    ("mcp", "GET", "backend/healthz"),
    ("mcp", "GET", "backend/metrics"),
    ("mcp", "GET", "backend/dapr/subscribe"),
    ("mcp", "POST", "backend/events/task-events"),
    ("mcp", "GET", "backend/api/todos/%2e%2e/%2e%2e/metrics"),
    ("mcp", "GET", "backend/api/todos%2f..%2f..%2fmetrics"),
    ("mcp", "GET", "notification/api/notifications"),
    ("notification", "GET", "backend/api/todos"),
    ("backend", "GET", "mcp/mcp"),
]


@pytest.mark.parametrize(("verb", "path"), ALLOWED)
def test_listed_operation_reaches_the_application(sidecars: Sidecars, verb: str, path: str) -> None:
    """The callee gets the request with its own sidecar's token, never with the caller's."""
    answer = sidecars.invoke("mcp", verb, f"backend{path}")
    assert (answer.status_code, answer.json()) == (200, {"asked": f"{verb} {path}", "token": APP_TOKEN})


@pytest.mark.parametrize("verb", ["PATCH", "DELETE"])
def test_precondition_reaches_the_application(sidecars: Sidecars, verb: str) -> None:
    """Dapr passes `If-Match` on, without which a change of somebody else would be overwritten."""
    answer = sidecars.invoke("mcp", verb, "backend/api/todos/1", **{"If-Match": '"3"'})
    assert answer.json()["precondition"] == '"3"'


@pytest.mark.parametrize(("caller", "verb", "path"), DENIED)
def test_other_operation_is_denied(sidecars: Sidecars, caller: str, verb: str, path: str) -> None:
    """Another verb, path, caller or app is refused, also if the path pretends to be below a listed one."""
    answer = sidecars.invoke(caller, verb, path)
    assert answer.status_code == 403
    assert "access control policy has denied access" in answer.text


@pytest.mark.parametrize("token", ["", APP_TOKEN])
def test_sidecar_refuses_a_caller_without_its_token(sidecars: Sidecars, token: str) -> None:
    """The API of the sidecar needs the token that it shares with its application."""
    assert sidecars.invoke("mcp", "GET", "backend/api/todos", token).status_code == 401


def test_table_of_invocations_is_printed(sidecars: Sidecars, capsys: pytest.CaptureFixture[str]) -> None:
    """A reviewer sees each attempt with its answer."""
    attempts = [("mcp", verb, f"backend{path}") for verb, path in ALLOWED] + DENIED
    rows = tuple((*attempt, str(sidecars.invoke(*attempt).status_code)) for attempt in attempts)
    assert {row[-1] for row in rows} == {"200", "403"}
    printed = Table("Invocations through Dapr", ("caller", "verb", "app and path", "answer"), rows)
    with capsys.disabled():
        print("", *printed.lines(), sep="\n")  # noqa: T201  # the table is the test's output
