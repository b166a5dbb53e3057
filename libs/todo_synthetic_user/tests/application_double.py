"""A small double of the application, in memory, that can be made to misbehave.

The real application passes the same journey in `inv up --check`.
"""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ApplicationDouble(ThreadingHTTPServer):
    """Accounts, one user's tasks, notifications and live events."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listens on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.accounts: dict[str, str] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.notifications: list[dict[str, Any]] = []
        self.events: queue.Queue[str | None] = queue.Queue()
        self.answers: dict[str, tuple[int, Any]] = {}  # by "METHOD path", instead of the usual answer
        self.lost: set[str] = set()  # names of events that never arrive
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Sends an event to the live stream."""
        if name not in self.lost:
            self.events.put(f"id: 1\nevent: {name}\ndata: {json.dumps(data)}\n\n")


class _Handler(BaseHTTPRequestHandler):
    server: ApplicationDouble

    def handle_request(self) -> None:
        """Answers any request."""
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

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815  # the base class calls them so

    def auth(self, action: str, body: dict[str, str]) -> tuple[int, Any]:
        """Changes accounts; like Better Auth, it refuses a foreign Origin."""
        accounts = self.server.accounts
        if action == "token":
            return 200, {"token": "good"}
        if self.headers["Origin"] != self.server.url:
            return 403, {"code": "INVALID_ORIGIN"}
        if action == "sign-up/email":
            accounts[body["email"]] = body["password"]
        elif action == "delete-user":
            accounts.clear()
        elif accounts.get(body["email"]) != body["password"]:
            return 401, {}
        return 200, {}

    def use(self, body: dict[str, Any]) -> tuple[int, Any]:  # noqa: PLR0911  # a table of answers
        """Changes tasks and publishes what follows from that."""
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
        """Sends live events until the double closes."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"retry: 1000\n\n: connected\n\n: heartbeat\n\n")
        while (event := self.server.events.get()) is not None:
            self.wfile.write(event.encode())

    def reply(self, status: int, body: Any) -> None:
        """Sends a JSON answer."""
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


@contextmanager
def running_application() -> Iterator[ApplicationDouble]:
    """Runs the double for the length of the block."""
    with ApplicationDouble() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.events.put(None)
        server.shutdown()
        thread.join()
