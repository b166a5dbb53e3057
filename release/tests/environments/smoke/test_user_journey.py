"""The synthetic transaction, against a small stand-in of the application that can be told to misbehave.

The real application passes the same transaction in `inv up --check`.
"""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from todo_release.environments.smoke.origin import Origin
from todo_release.environments.smoke.user_journey import Step, TransactionError, run_transaction

STEPS = [
    "sign up",
    "get a token",
    "sign in elsewhere",
    "open the live stream",
    "create a task",
    "see it arrive live",
    "see it in the other list",
    "list it through MCP",
    "complete it",
    "be notified live",
    "see the notification listed",
    "delete the task",
    "delete the account",
]


class StandIn(ThreadingHTTPServer):
    """Accounts, one user's tasks, notifications and live events, in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.accounts: dict[str, str] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.notifications: list[dict[str, Any]] = []
        self.events: queue.Queue[str | None] = queue.Queue()
        self.answers: dict[str, tuple[int, Any]] = {}  # what a path answers instead
        self.lost: set[str] = set()  # names of events that never arrive
        self.requests: list[str] = []

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Send an event to the live stream."""
        if name not in self.lost:
            self.events.put(f"id: 1\nevent: {name}\ndata: {json.dumps(data)}\n\n")


class Handler(BaseHTTPRequestHandler):
    """See StandIn."""

    server: StandIn

    def handle_request(self) -> None:
        """Find the answer to any request."""
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        key = f"{self.command} {self.path}"
        self.server.requests.append(key)
        if key in self.server.answers:
            self.reply(*self.server.answers[key])
        elif self.path.startswith("/api/auth/"):
            self.reply(*self.auth(self.path.removeprefix("/api/auth/"), body))
        elif self.headers["Authorization"] != "Bearer good":
            self.reply(401, {})
        elif self.path == "/sse/tasks":
            self.stream()
        else:
            self.reply(*self.use(body))

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815 - the base class calls them so

    def auth(self, action: str, body: dict[str, str]) -> tuple[int, Any]:
        """Accounts; like Better Auth, nothing is changed for a foreign Origin."""
        accounts = self.server.accounts
        if action == "token":
            return 200, {"token": "good"}
        if self.headers["Origin"] != f"http://127.0.0.1:{self.server.server_port}":
            return 403, {"code": "INVALID_ORIGIN"}
        if action == "sign-up/email":
            accounts[body["email"]] = body["password"]
        elif action == "delete-user":
            accounts.clear()
        elif accounts.get(body["email"]) != body["password"]:
            return 401, {}
        return 200, {}

    def use(self, body: dict[str, Any]) -> tuple[int, Any]:  # noqa: PLR0911 - a table of answers
        """Tasks and what follows from them."""
        server, number = self.server, self.path.split("/")[3:4]
        task = server.tasks.get(number[0], {}) if number else {}
        match self.command, self.path.split("/")[1:3]:
            case "POST", ["mcp"]:
                return 200, {"result": {"structuredContent": list(server.tasks.values())}}
            case _, ["api", "notifications"]:
                return 200, {"items": server.notifications}
            case "POST", _:
                task = {"id": "7", "title": body["title"], "completed": False}
                server.tasks["7"] = task
                server.publish("sync.task-changed", {"event_type": "task.created", "task_id": "7"})
                return 201, task
            case "PATCH", _:
                task["completed"] = True
                server.notifications.append({"task_id": task["id"]})
                server.publish("notification", {"task_id": task["id"]})
                return 200, task
            case "DELETE", _:
                del server.tasks[task["id"]]
                return 204, None
            case _ if number:
                return (200, task) if task else (404, {})
        return 200, {"items": list(server.tasks.values())}

    def stream(self) -> None:
        """Send live events until the stand-in closes."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"retry: 1000\n\n: connected\n\n: heartbeat\n\n")
        while (event := self.server.events.get()) is not None:
            self.wfile.write(event.encode())

    def reply(self, status: int, body: Any) -> None:
        """Send a JSON answer."""
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """The stand-in, listening."""
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.events.put(None)
        server.shutdown()
        thread.join()


def origin(stand_in: StandIn) -> Origin:
    """Where the stand-in is asked."""
    return Origin(f"http://127.0.0.1:{stand_in.server_port}")


def test_transaction_tells_every_step_in_order(stand_in: StandIn) -> None:
    """All steps are done, timed, and told as they happen; nothing is left behind."""
    told: list[Step] = []
    steps = run_transaction(origin(stand_in), on_step=told.append)
    assert [step.name for step in steps] == STEPS
    assert tuple(told) == steps
    assert min(step.milliseconds for step in steps) > 0
    assert (stand_in.accounts, stand_in.tasks) == ({}, {})


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        ({"POST /api/auth/sign-up/email": (422, {})}, "sign up"),
        ({"GET /api/auth/token": (200, {"jwt": "good"})}, "get a token"),
        ({"POST /api/auth/sign-in/email": (429, {})}, "sign in elsewhere"),
        ({"GET /sse/tasks": (502, {})}, "open the live stream"),
        ({"POST /api/todos": (503, {})}, "create a task"),
        ({"GET /api/todos": (200, {"items": []})}, "see it in the other list"),
        ({"POST /mcp": (200, {"result": {"isError": True}})}, "list it through MCP"),
        ({"PATCH /api/todos/7/complete": (200, {"completed": False})}, "complete it"),
        ({"GET /api/notifications": (200, {"items": [{"task_id": "8"}]})}, "see the notification listed"),
        ({"DELETE /api/todos/7": (500, {})}, "delete the task"),
        ({"POST /api/auth/delete-user": (403, {})}, "delete the account"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_failed_step_is_named(stand_in: StandIn, answer: dict[str, tuple[int, Any]], step: str) -> None:
    """Whatever goes wrong, one error names the step; the steps before it were told."""
    stand_in.answers = answer
    told: list[Step] = []
    with pytest.raises(TransactionError, match=f"failed at '{step}'") as raised:
        run_transaction(origin(stand_in), on_step=told.append)
    assert raised.value.step == step
    assert [done.name for done in told] == STEPS[: STEPS.index(step)]


@pytest.mark.parametrize(
    ("event", "step"), [("sync.task-changed", "see it arrive live"), ("notification", "be notified live")]
)
def test_event_that_does_not_arrive_is_a_failure(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, event: str, step: str
) -> None:
    """A change that does not reach the other place within the bound fails the transaction."""
    monkeypatch.setattr("todo_release.environments.smoke.user_journey.EVENT_SECONDS", 0.2)
    stand_in.lost = {event}
    with pytest.raises(TransactionError, match=f"failed at '{step}'"):
        run_transaction(origin(stand_in))


def test_account_is_deleted_after_a_failure(stand_in: StandIn) -> None:
    """A transaction that fails half-way leaves no account behind."""
    stand_in.answers = {"POST /api/todos": (503, {})}
    with pytest.raises(TransactionError):
        run_transaction(origin(stand_in))
    assert "POST /api/auth/sign-up/email" in stand_in.requests
    assert stand_in.accounts == {}


def test_unreachable_origin_fails_the_first_step() -> None:
    """Nobody listening is told as such, at the first step."""
    with pytest.raises(TransactionError, match="failed at 'sign up': ConnectError"):
        run_transaction(Origin("http://127.0.0.1:1"))
