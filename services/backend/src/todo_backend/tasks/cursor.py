"""Where a list goes on: the sort key of its last row, opaque to clients.

A cursor carries a checksum over itself, its user and its list, so one that was changed, or that comes from
another list, is refused. It is no secret and grants nothing: every query is scoped to its user.
"""

import binascii
from base64 import b64decode, urlsafe_b64encode
from hashlib import blake2b
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from todo_backend.errors import InvalidCursorError
from todo_backend.tasks.schemas import TaskQuery
from todo_kit.events import Priority

_CHECKSUM_BYTES = 8


class Position(BaseModel):
    """What a list may be sorted by, of the last row that was seen."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    id: UUID
    created_at: AwareDatetime
    due_date: AwareDatetime | None
    priority: Priority


def encode_cursor(position: Position, user_id: str, query: TaskQuery) -> str:
    """Return the cursor that goes on after `position` in this user's list."""
    content = position.model_dump_json().encode()
    of_list = query.model_dump_json(exclude={"limit", "cursor"}).encode()
    checksum = blake2b(b"\0".join([content, of_list, user_id.encode()]), digest_size=_CHECKSUM_BYTES).digest()
    return urlsafe_b64encode(checksum + content).rstrip(b"=").decode()


def decode_cursor(cursor: str, user_id: str, query: TaskQuery) -> Position:
    """Return where to go on; raises `InvalidCursorError` for anything that `encode_cursor` did not return."""
    try:
        packed = b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = Position.model_validate_json(packed[_CHECKSUM_BYTES:])
    except (UnicodeEncodeError, binascii.Error, ValidationError) as error:
        raise InvalidCursorError from error
    if encode_cursor(position, user_id, query) != cursor:
        raise InvalidCursorError
    return position
