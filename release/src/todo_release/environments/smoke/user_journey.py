"""What a user does, done from outside through the public origin: the proof that all services work together.

A made-up person signs up and is in two places at once. What one place changes must reach the other, be
answered by the MCP server and be told as a notification; at the end task and account are deleted. `inv up
--check` and the smoke checks after a rollout run the same transaction.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from todo_release.environments.smoke.origin import Origin
from todo_release.errors import SmokeError

EVENT_SECONDS = 10.0
MCP_VERSION = "2026-07-28"
MCP_META = "io.modelcontextprotocol"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the person did and how long it took; for an event, from the change to its arrival."""

    name: str
    milliseconds: float


class TransactionError(SmokeError):
    """A step of the transaction failed; `step` is its name."""

    def __init__(self, step: str, seen: str) -> None:
        """`seen` says what came instead of what should have come."""
        super().__init__(
            f"The synthetic transaction failed at '{step}': {seen}.",
            remedy="The logs of the services this step goes through say why.",
        )
        self.step = step


class _UnexpectedError(Exception):
    """Something else came than should have; the text says what."""


@dataclass
class _Person:
    """A user in one place: a client with a session cookie and a token."""

    client: httpx2.Client
    token: str = field(default="", repr=False)

    def request(self, method: str, path: str, status: int, **options: Any) -> httpx2.Response:
        """Ask with the token, once there is one, and insist on a status."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        response = self.client.request(method, path, headers=headers, **options)
        _expect_status(response, status)
        return response


def run_transaction(origin: Origin, *, on_step: Callable[[Step], None] | None = None) -> tuple[Step, ...]:
    """Run the transaction and return its steps in order; `on_step` hears of each when it is done.

    Whatever happens, the account is deleted again as far as possible. Raises TransactionError.
    """
    with ExitStack() as stack:
        transaction = _Transaction(
            here=_Person(stack.enter_context(origin.client())),
            there=_Person(stack.enter_context(origin.client())),
            origin_header="{0.scheme}://{0.netloc}".format(urlsplit(origin.url)),
            on_step=on_step,
        )
        transaction.run(stack)
        return tuple(transaction.steps)


class _Transaction:
    def __init__(
        self, here: _Person, there: _Person, origin_header: str, on_step: Callable[[Step], None] | None
    ) -> None:
        self.steps: list[Step] = []
        self._here = here
        self._there = there
        self._on_step = on_step
        self._origin = {"Origin": origin_header}  # Better Auth answers 403 to any other
        self._email = f"smoke-{secrets.token_hex(8)}@example.invalid"
        self._password = secrets.token_urlsafe(16)
        self._title = f"Smoke {secrets.token_hex(4)}"

    def run(self, stack: ExitStack) -> None:
        credentials = {"email": self._email, "password": self._password}
        with self._step("sign up"):
            self._auth(self._here, "sign-up/email", credentials | {"name": "Smoke Check"})
        stack.callback(self._forget_account)
        with self._step("get a token"):
            self._here.token = self._token(self._here)
        with self._step("sign in elsewhere"):
            self._auth(self._there, "sign-in/email", credentials)
            self._there.token = self._token(self._there)
        with self._step("open the live stream"):
            events = _events(stack.enter_context(self._stream()))
            _next(events, "the stream's greeting", lambda name, data: name == ":connected")
        task = self._create_task(events)
        with self._step("see it in the other list"):
            _expect_item(self._there.request("GET", "/api/todos", 200).json(), "id", task)
        with self._step("list it through MCP"):
            self._list_through_mcp()
        self._complete_task(task, events)
        with self._step("delete the task"):
            self._here.request("DELETE", f"/api/todos/{task}", 204)
            self._here.request("GET", f"/api/todos/{task}", 404)
        with self._step("delete the account"):
            self._delete_account()

    def _create_task(self, events: Iterator[tuple[str, dict[str, Any]]]) -> str:
        began_at = time.monotonic()
        with self._step("create a task"):
            created = self._here.request("POST", "/api/todos", 201, json={"title": self._title})
            task = str(created.json()["id"])
        with self._step("see it arrive live", began_at):
            _next(
                events,
                "the new task on the live stream",
                lambda name, data: (
                    (name, data.get("event_type"), data.get("task_id"))
                    == ("sync.task-changed", "task.created", task)
                ),
            )
        return task

    def _complete_task(self, task: str, events: Iterator[tuple[str, dict[str, Any]]]) -> None:
        began_at = time.monotonic()
        with self._step("complete it"):
            done = self._here.request("PATCH", f"/api/todos/{task}/complete", 200).json()
            if not done["completed"]:
                raise _UnexpectedError("the task is still pending")
        with self._step("be notified live", began_at):
            _next(
                events,
                "a notification on the live stream",
                lambda name, data: (name, data.get("task_id")) == ("notification", task),
            )
        with self._step("see the notification listed"):
            _expect_item(self._there.request("GET", "/api/notifications", 200).json(), "task_id", task)

    @contextmanager
    def _step(self, name: str, began_at: float | None = None) -> Iterator[None]:
        """Time a step and give its name to whatever goes wrong in it."""
        began_at = began_at or time.monotonic()
        try:
            yield
        except _UnexpectedError as error:
            raise TransactionError(name, str(error)) from error
        except (httpx2.HTTPError, OSError) as error:
            raise TransactionError(name, f"{type(error).__name__} {error}".rstrip()) from error
        except (ValueError, KeyError, TypeError) as error:  # an answer of another shape
            raise TransactionError(name, f"an answer that does not fit ({error!r})") from error
        step = Step(name, (time.monotonic() - began_at) * 1000)
        self.steps.append(step)
        if self._on_step:
            self._on_step(step)

    def _auth(self, person: _Person, path: str, body: Mapping[str, str]) -> None:
        person.request("POST", f"/api/auth/{path}", 200, json=body, headers=self._origin)

    def _token(self, person: _Person) -> str:
        return str(person.request("GET", "/api/auth/token", 200).json()["token"])

    @contextmanager
    def _stream(self) -> Iterator[httpx2.Response]:
        headers = {"Authorization": f"Bearer {self._there.token}", "Accept": "text/event-stream"}
        client = self._there.client
        with client.stream("GET", "/sse/tasks", headers=headers, timeout=EVENT_SECONDS) as response:
            if response.status_code != 200:
                response.read()
            _expect_status(response, 200)
            yield response

    def _list_through_mcp(self) -> None:
        meta = {f"{MCP_META}/protocolVersion": MCP_VERSION, f"{MCP_META}/clientCapabilities": {}}
        response = self._there.request(
            "POST",
            "/mcp",
            200,
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "list_tasks", "arguments": {}, "_meta": meta},
            },
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": MCP_VERSION,
                "Mcp-Method": "tools/call",
                "Mcp-Name": "list_tasks",
            },
        )
        if self._title not in response.text or '"isError":true' in response.text.replace(" ", ""):
            raise _UnexpectedError(f"the task is not in {_shortened(response.text)}")

    def _delete_account(self) -> None:
        self._auth(self._here, "delete-user", {"password": self._password})
        self._email = ""

    def _forget_account(self) -> None:
        """Delete what a failed transaction left; its own error is the one to tell."""
        if self._email:
            with suppress(_UnexpectedError, httpx2.HTTPError, OSError):
                self._delete_account()


def _events(response: httpx2.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, data) of each server-sent event (WHATWG HTML, 9.2); a comment comes as (`:text`, {})."""
    name, data = "message", ""
    for line in response.iter_lines():
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield name, json.loads(data)
            name, data = "message", ""
        elif not key:
            yield f":{value}", {}
        elif key == "event":
            name = value
        elif key == "data":
            data += value


def _next(
    events: Iterator[tuple[str, dict[str, Any]]], what: str, is_wanted: Callable[[str, dict[str, Any]], bool]
) -> None:
    """Read on until the wanted event, for as long as one may take."""
    deadline = time.monotonic() + EVENT_SECONDS
    for name, data in events:
        if is_wanted(name, data):
            return
        if time.monotonic() > deadline:
            raise _UnexpectedError(f"{what} did not arrive within {EVENT_SECONDS:g} s")
    raise _UnexpectedError(f"the stream ended before {what}")


def _expect_status(response: httpx2.Response, status: int) -> None:
    if response.status_code != status:
        raise _UnexpectedError(
            f"{response.request.method} {response.request.url.path} answered {response.status_code} "
            f"instead of {status}: {_shortened(response.text)}"
        )


def _expect_item(page: dict[str, Any], key: str, value: str) -> None:
    if not any(item[key] == value for item in page["items"]):
        raise _UnexpectedError(f"no item with {key} {value} among {len(page['items'])}")


def _shortened(text: str) -> str:
    return repr(" ".join(text.split())[:200])
