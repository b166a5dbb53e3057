"""Payloads of events: their consistency, and the committed schemas."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from todo_kit.events import TaskEvent, write_schemas

CONTRACTS = Path(__file__).parents[3] / "contracts" / "events"
NOW = datetime.now(UTC).isoformat()
SNAPSHOT = {
    "id": str(uuid4()),
    "title": "A",
    "description": "",
    "completed": False,
    "priority": "low",
    "due_date": None,
    "created_at": NOW,
    "updated_at": NOW,
}
CHANGES = {"title": {"old": "A", "new": "B"}}


def event(event_type: str, task: Any, changed_fields: Any) -> dict[str, Any]:
    """Returns a task event as JSON members."""
    return {
        "event_type": event_type,
        "task_id": str(uuid4()),
        "user_id": "user-a",
        "task": task,
        "changed_fields": changed_fields,
    }


def test_committed_schemas_are_current(tmp_path: Path) -> None:
    """After a change of a payload, run `python -m todo_kit.events contracts/events`."""
    write_schemas(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in CONTRACTS.iterdir()} == written


@pytest.mark.parametrize(
    ("event_type", "task", "changed_fields"),
    [
        ("task.created", SNAPSHOT, None),
        ("task.updated", SNAPSHOT, CHANGES),
        ("task.completed", SNAPSHOT, CHANGES),
        ("task.deleted", None, None),
    ],
)
def test_consistent_event_is_parsed_as_it_was_published(
    event_type: str, task: Any, changed_fields: Any
) -> None:
    """A payload is the same after it was written as JSON and parsed."""
    parsed = TaskEvent.model_validate(event(event_type, task, changed_fields))
    assert TaskEvent.model_validate_json(parsed.to_json()) == parsed


@pytest.mark.parametrize(
    ("event_type", "task", "changed_fields"),
    [
        ("task.created", None, None),
        ("task.created", SNAPSHOT, CHANGES),
        ("task.updated", SNAPSHOT, None),
        ("task.updated", None, CHANGES),
        ("task.deleted", SNAPSHOT, None),
        ("task.archived", SNAPSHOT, None),
        ("task.created", SNAPSHOT | {"created_at": "2026-01-01T00:00:00"}, None),
    ],
)
def test_inconsistent_event_is_refused(event_type: str, task: Any, changed_fields: Any) -> None:
    """A consumer may rely on the snapshot, unless the task was deleted."""
    with pytest.raises(ValidationError):
        TaskEvent.model_validate(event(event_type, task, changed_fields))
