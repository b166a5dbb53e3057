"""The journey of the synthetic user, against a double of the application."""

from collections.abc import Iterator
from typing import Any

import pytest

from todo_synthetic_user.journey import JourneyError, JourneyStep, run_journey
from todo_synthetic_user.origin import Origin

from .application_double import ApplicationDouble, running_application

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


@pytest.fixture
def application() -> Iterator[ApplicationDouble]:
    """The double of the application, running."""
    with running_application() as double:
        yield double


def test_journey_reports_every_step_in_order(application: ApplicationDouble) -> None:
    """All steps are done, timed, and reported as they happen; nothing is left behind."""
    reported: list[JourneyStep] = []
    steps = run_journey(Origin(application.url), on_step=reported.append)
    assert [step.name for step in steps] == STEPS
    assert tuple(reported) == steps
    assert min(step.milliseconds for step in steps) > 0
    assert (application.accounts, application.tasks) == ({}, {})


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
def test_journey_error_names_the_failed_step(
    application: ApplicationDouble, answer: dict[str, tuple[int, Any]], step: str
) -> None:
    """Whatever goes wrong, one error names the step; the steps before it were reported."""
    application.answers = answer
    reported: list[JourneyStep] = []
    with pytest.raises(JourneyError, match=f"failed at '{step}'") as raised:
        run_journey(Origin(application.url), on_step=reported.append)
    assert raised.value.step == step
    assert raised.value.milliseconds > 0
    assert [done.name for done in reported] == STEPS[: STEPS.index(step)]


@pytest.mark.parametrize(
    ("event", "step"), [("sync.task-changed", "see it arrive live"), ("notification", "be notified live")]
)
def test_journey_fails_when_an_event_does_not_arrive(
    application: ApplicationDouble, monkeypatch: pytest.MonkeyPatch, event: str, step: str
) -> None:
    """A change that does not reach the other place within the time limit fails the journey."""
    monkeypatch.setattr("todo_synthetic_user.event_stream.EVENT_SECONDS", 0.2)
    application.lost = {event}
    with pytest.raises(JourneyError, match=f"failed at '{step}'"):
        run_journey(Origin(application.url))


def test_journey_deletes_the_account_after_a_failure(application: ApplicationDouble) -> None:
    """A journey that fails half-way leaves no account behind."""
    application.answers = {"POST /api/todos": (503, {})}
    with pytest.raises(JourneyError):
        run_journey(Origin(application.url))
    assert "POST /api/auth/sign-up/email" in application.requests
    assert application.accounts == {}


def test_journey_fails_at_the_first_step_when_nobody_listens() -> None:
    """An address without a listener is reported at the first step."""
    with pytest.raises(JourneyError, match="failed at 'sign up': ConnectError"):
        run_journey(Origin("http://127.0.0.1:1"))
