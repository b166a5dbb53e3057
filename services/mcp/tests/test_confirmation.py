"""Confirmation codes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from todo_mcp.confirmation import LIFETIME, Confirmations, derived_key
from todo_mcp.errors import ConfirmationRefusedError
from todo_mcp.schemas import Task

KEY = derived_key(SecretStr("token-of-the-sidecar"), "confirmation")
NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
TASK = Task(
    id=uuid4(),
    title="Milk",
    description="",
    completed=False,
    priority="medium",
    tags=[],
    due_date=None,
    created_at=NOW,
    updated_at=NOW,
    version=3,
)
CODE = Confirmations(KEY, "delete_task", lambda: NOW).issue("ann", TASK)


def confirmations(after: timedelta, *, key: bytes = KEY, tool: str = "delete_task") -> Confirmations:
    """Returns another replica's codes, some time after `CODE` was issued."""
    return Confirmations(key, tool, lambda: NOW + after)


@pytest.mark.parametrize("after", [timedelta(0), LIFETIME])
def test_code_confirms_its_own_call_at_every_replica(after: timedelta) -> None:
    """A code is valid until it expires, at every replica that has the key."""
    confirmations(after).check(CODE, "ann", TASK)


@pytest.mark.parametrize(
    ("code", "user_id", "task", "checked_by"),
    [
        (CODE, "bob", TASK, confirmations(timedelta(0))),
        (CODE, "ann", TASK.model_copy(update={"id": uuid4()}), confirmations(timedelta(0))),
        (CODE, "ann", TASK.model_copy(update={"version": 4}), confirmations(timedelta(0))),
        (CODE, "ann", TASK, confirmations(LIFETIME + timedelta(seconds=1))),
        (CODE, "ann", TASK, confirmations(timedelta(0), tool="delete_all_tasks")),
        (CODE, "ann", TASK, confirmations(timedelta(0), key=derived_key(SecretStr("other"), "confirmation"))),
        (
            CODE,
            "ann",
            TASK,
            confirmations(timedelta(0), key=derived_key(SecretStr("token-of-the-sidecar"), "x")),
        ),
        (f"9{CODE}", "ann", TASK, confirmations(timedelta(0))),
        (CODE[:-1], "ann", TASK, confirmations(timedelta(0))),
        (CODE.partition(".")[0] + ".", "ann", TASK, confirmations(timedelta(0))),
        ("", "ann", TASK, confirmations(timedelta(0))),
        ("yes", "ann", TASK, confirmations(timedelta(0))),
        ("¹.é", "ann", TASK, confirmations(timedelta(0))),
    ],
    ids=[
        "another user",
        "another task",
        "another version",
        "expired",
        "another tool",
        "another secret",
        "another purpose",
        "later expiry",
        "shortened",
        "without signature",
        "empty",
        "word",
        "not ASCII",
    ],
)
def test_code_of_anything_else_is_refused(
    code: str, user_id: str, task: Task, checked_by: Confirmations
) -> None:
    """A code confirms one tool, user, task and version, for a few minutes, and cannot be changed."""
    with pytest.raises(ConfirmationRefusedError, match="Call this tool again without a code"):
        checked_by.check(code, user_id, task)
