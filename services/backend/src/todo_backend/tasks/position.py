"""The position in a list of tasks that a cursor carries."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from todo_kit.events import Priority


class TaskPosition(BaseModel):
    """Everything that a list may be sorted by, of the last row that was returned."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    id: UUID
    created_at: AwareDatetime
    due_date: AwareDatetime | None
    priority: Priority
