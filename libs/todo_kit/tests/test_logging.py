"""The content of a log line, and what is masked in it."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from todo_kit.logging import configure_logging, get_logger
from todo_kit.masking import mask_text
from todo_kit.settings import ServiceSettings
from todo_kit.testing import TokenIssuer


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """Restores the logging configuration after a test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Returns the last line that was logged."""
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return parsed


def test_line_has_the_members_that_dashboards_read(
    capsys: pytest.CaptureFixture[str], settings: ServiceSettings
) -> None:
    """A line is one JSON object, with the ids of the request's context."""
    configure_logging(settings)
    structlog.contextvars.bind_contextvars(request_id="r-1", trace_id="t-1", user_id="u-1")
    get_logger("test").info("task_created", task_id="task-1")
    line = last_line(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "task_created",
        "service": "example",
        "request_id": "r-1",
        "trace_id": "t-1",
        "user_id": "u-1",
        "task_id": "task-1",
    }


def test_library_lines_look_the_same(capsys: pytest.CaptureFixture[str], settings: ServiceSettings) -> None:
    """Lines of uvicorn, Alembic and other libraries go through the same formatter."""
    configure_logging(settings)
    logging.getLogger("uvicorn.error").warning("Waiting for %d connections", 3)
    line = last_line(capsys)
    event, level, service = "Waiting for 3 connections", "warning", "example"
    assert (line["event"], line["level"], line["service"]) == (event, level, service)


def test_private_fields_and_secrets_in_tracebacks_are_masked(
    capsys: pytest.CaptureFixture[str], settings: ServiceSettings, issuer: TokenIssuer
) -> None:
    """A secret is masked in fields and inside the text of an exception."""
    configure_logging(settings)
    token = issuer.token("user-a")
    try:
        raise RuntimeError(f"could not use {token} of ann@example.org")
    except RuntimeError:
        get_logger("test").exception(
            "failed", title="My journal", nested={"password": "hunter2"}, token=token
        )
    printed = capsys.readouterr().out
    assert json.loads(printed)["event"] == "failed"
    for secret in (token, "ann@example.org", "My journal", "hunter2"):
        assert secret not in printed


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://todo:pw-1@db/todo?sslmode=require", "postgresql://todo:***@db/todo?sslmode=require"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("host=db password=pw-1 user=todo", "host=db password=*** user=todo"),
        ("DETAIL: Failing row contains (1, my journal, null).", "DETAIL: Failing row contains (***)."),
        ("GET http://frontend:3000/api/auth/jwks", "GET http://frontend:3000/api/auth/jwks"),
    ],
)
def test_text_is_masked_by_shape(text: str, masked: str) -> None:
    """Addresses are kept and credentials are masked."""
    assert mask_text(text) == masked
