"""What a user does, step by step, through the public URL: the proof that all services work together.

A synthetic user signs up and is in two places at once. What one place changes must reach the other, be listed
by the MCP server and arrive as a notification. At the end task and account are deleted.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from todo_synthetic_user import event_stream, mcp
from todo_synthetic_user.event_stream import ServerEvent, read_events, wait_for_event
from todo_synthetic_user.origin import Origin
from todo_synthetic_user.person import (
    Person,
    UnexpectedAnswerError,
    expect_item,
    expect_status,
    shortened,
)


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """A step of the user and how long it took; for an event, from the change to its arrival."""

    name: str
    milliseconds: float


class JourneyError(Exception):
    """A step failed: `step` is its name, `seen` what came instead, `milliseconds` the time until then."""

    def __init__(self, step: str, seen: str, milliseconds: float) -> None:
        """Composes the message from the step and what was seen."""
        super().__init__(f"The synthetic user failed at '{step}': {seen}.")
        self.step = step
        self.seen = seen
        self.milliseconds = milliseconds


def run_journey(
    origin: Origin, *, on_step: Callable[[JourneyStep], None] | None = None
) -> tuple[JourneyStep, ...]:
    """Runs the journey and returns its steps in order; `on_step` is called with each when it is done.

    However it ends, the account is deleted again if the application allows it.

    Raises:
        JourneyError: a step failed.
    """
    with ExitStack() as stack:
        journey = _Journey(
            here=Person(stack.enter_context(origin.client())),
            there=Person(stack.enter_context(origin.client())),
            origin_header="{0.scheme}://{0.netloc}".format(urlsplit(origin.url)),
            on_step=on_step,
        )
        journey.run(stack)
        return tuple(journey.steps)


class _Journey:
    def __init__(
        self,
        here: Person,
        there: Person,
        origin_header: str,
        on_step: Callable[[JourneyStep], None] | None,
    ) -> None:
        self.steps: list[JourneyStep] = []
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
        stack.callback(self._delete_leftover_account)
        with self._step("get a token"):
            self._here.token = self._token(self._here)
        with self._step("sign in elsewhere"):
            self._auth(self._there, "sign-in/email", credentials)
            self._there.token = self._token(self._there)
        with self._step("open the live stream"):
            events = read_events(stack.enter_context(self._stream()))
            wait_for_event(events, "the stream's greeting", lambda name, data: name == ":connected")
        task = self._create_task(events)
        with self._step("see it in the other list"):
            expect_item(self._there.request("GET", "/api/todos", 200).json(), "id", task)
        with self._step("list it through MCP"):
            self._list_through_mcp()
        self._complete_task(task, events)
        with self._step("delete the task"):
            self._here.request("DELETE", f"/api/todos/{task}", 204)
            self._here.request("GET", f"/api/todos/{task}", 404)
        with self._step("delete the account"):
            self._delete_account()

    def _create_task(self, events: Iterator[ServerEvent]) -> str:
        began_at = time.monotonic()
        with self._step("create a task"):
            created = self._here.request("POST", "/api/todos", 201, json={"title": self._title})
            task = str(created.json()["id"])
        with self._step("see it arrive live", began_at):
            wait_for_event(
                events,
                "the new task on the live stream",
                lambda name, data: (
                    (name, data.get("event_type"), data.get("task_id"))
                    == ("sync.task-changed", "task.created", task)
                ),
            )
        return task

    def _complete_task(self, task: str, events: Iterator[ServerEvent]) -> None:
        began_at = time.monotonic()
        with self._step("complete it"):
            done = self._here.request("PATCH", f"/api/todos/{task}/complete", 200).json()
            if not done["completed"]:
                raise UnexpectedAnswerError("the task is still pending")
        with self._step("be notified live", began_at):
            wait_for_event(
                events,
                "a notification on the live stream",
                lambda name, data: (name, data.get("task_id")) == ("notification", task),
            )
        with self._step("see the notification listed"):
            expect_item(self._there.request("GET", "/api/notifications", 200).json(), "task_id", task)

    @contextmanager
    def _step(self, name: str, began_at: float | None = None) -> Iterator[None]:
        """Times a step and gives its name to every error in it."""
        began_at = began_at or time.monotonic()

        def failure(seen: str) -> JourneyError:
            return JourneyError(name, seen, (time.monotonic() - began_at) * 1000)

        try:
            yield
        except UnexpectedAnswerError as error:
            raise failure(str(error)) from error
        except (httpx2.HTTPError, OSError) as error:
            raise failure(f"{type(error).__name__} {error}".rstrip()) from error
        except (ValueError, KeyError, TypeError) as error:  # an answer of another shape
            raise failure(f"an answer that does not fit ({error!r})") from error
        step = JourneyStep(name, (time.monotonic() - began_at) * 1000)
        self.steps.append(step)
        if self._on_step:
            self._on_step(step)

    def _auth(self, person: Person, path: str, body: Mapping[str, str]) -> None:
        person.request("POST", f"/api/auth/{path}", 200, json=body, headers=self._origin)

    def _token(self, person: Person) -> str:
        return str(person.request("GET", "/api/auth/token", 200).json()["token"])

    @contextmanager
    def _stream(self) -> Iterator[httpx2.Response]:
        headers = {"Authorization": f"Bearer {self._there.token}", "Accept": "text/event-stream"}
        seconds = event_stream.EVENT_SECONDS
        with self._there.client.stream("GET", "/sse/tasks", headers=headers, timeout=seconds) as response:
            if response.status_code != 200:
                response.read()
            expect_status(response, 200)
            yield response

    def _list_through_mcp(self) -> None:
        response = self._there.request("POST", "/mcp", 200, **mcp.tool_call("list_tasks"))
        if self._title not in response.text or mcp.is_error(response.text):
            raise UnexpectedAnswerError(f"the task is not in {shortened(response.text)}")

    def _delete_account(self) -> None:
        self._auth(self._here, "delete-user", {"password": self._password})
        self._email = ""

    def _delete_leftover_account(self) -> None:
        """Deletes what a failed journey left; only the error of the journey itself is reported."""
        if self._email:
            with suppress(UnexpectedAnswerError, httpx2.HTTPError, OSError):
                self._delete_account()
