"""The position in a list of notifications that a cursor carries."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict


class NotificationPosition(BaseModel):
    """What a list is sorted by, of the last row that was returned."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    id: UUID
    created_at: AwareDatetime
