"""Events between the services: the payloads, and the CloudEvents 1.0 envelope in which they arrive.

Payloads ignore members they do not know, so that a publisher may add one before its consumers are updated.
`python -m todo_kit.events DIR` writes the JSON schemas that are committed to contracts/events.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

Priority = Literal["high", "medium", "low"]


class Payload(BaseModel):
    """Base of everything that is carried by an event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_json(self) -> bytes:
        """Returns the payload as it is published."""
        return self.model_dump_json().encode()


class TaskSnapshot(Payload):
    """A task as it was right after the change."""

    id: UUID
    title: str
    description: str
    completed: bool
    priority: Priority
    tags: list[str] = Field(default_factory=list)
    due_date: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int | None = None


class NumberedPayload(Payload):
    """Base of every published payload: `sequence` counts the events of its topic's publisher for one key.

    The outbox sets it when it publishes, so that a consumer recognises a missing event. It is null in what
    is stored, and in events of publishers that did not number them yet.
    """

    sequence: int | None = None

    def to_json(self) -> bytes:
        """Returns the payload as it is stored, without a number."""
        return self.model_dump_json(exclude={"sequence"}).encode()


class FieldChange(Payload):
    """The value of one field before and after."""

    old: JsonValue
    new: JsonValue


class TaskEvent(NumberedPayload):
    """One change of one task, on the topic `task-events`; the key is the user id.

    `task` is null exactly when the task was deleted. `changed_fields` is null when it was created or deleted.
    Reopening a completed task is `task.updated` with `changed_fields.completed`. `version` is the task's
    after the change: of two events of a task the one with the greater version is newer. It is null in
    events of a backend that did not count yet.
    """

    event_type: Literal["task.created", "task.updated", "task.deleted", "task.completed"]
    task_id: UUID
    user_id: str = Field(min_length=1)
    version: int | None = None
    task: TaskSnapshot | None
    changed_fields: dict[str, FieldChange] | None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.task is None) != (self.event_type == "task.deleted"):
            raise ValueError("task must be null exactly when event_type is task.deleted")
        has_changes = self.event_type in {"task.updated", "task.completed"}
        if (self.changed_fields is not None) != has_changes:
            raise ValueError("changed_fields belongs to task.updated and task.completed, and only to them")
        return self


class NotificationCreated(NumberedPayload):
    """A user has been told something, on the topic `notifications`; the key is the user id."""

    event_type: Literal["notification.created"] = "notification.created"
    notification_id: UUID
    user_id: str = Field(min_length=1)
    kind: str
    title: str
    task_id: UUID | None
    link: str | None
    created_at: AwareDatetime


PayloadT = TypeVar("PayloadT", bound=Payload)


class ReceivedEvent(BaseModel, Generic[PayloadT]):
    """The CloudEvent that a subscriber gets.

    `id` is stable over re-delivery and re-publishing: a consumer that remembers it handles each event once.
    `time` is when the event was published, or received when the publisher did not say.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    type: str
    source: str
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    topic: str
    data: PayloadT


PUBLISHED: tuple[type[Payload], ...] = (TaskEvent, NotificationCreated)


def write_schemas(folder: Path) -> None:
    """Writes a `<ModelName in kebab-case>.schema.json` for each published payload into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in PUBLISHED:
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema()
        path = folder / f"{_kebab(model.__name__)}.schema.json"
        path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n")


def _kebab(name: str) -> str:
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).removeprefix("-")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m todo_kit.events DIR")
    write_schemas(Path(sys.argv[1]))
