"""Cursors of paged lists: the sort key of a page's last row, opaque to clients.

A cursor carries a checksum over itself, its user and its list. A cursor that was changed, or that comes from
another list, is therefore refused. It is no secret and grants nothing: every query is limited to the caller's
own rows.
"""

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from todo_kit.problems import ValidationFailedError

_CHECKSUM_BYTES = 8

PositionT = TypeVar("PositionT", bound=BaseModel)
RowT = TypeVar("RowT")


class InvalidCursorError(ValidationFailedError):
    """The cursor was not returned by the list that it was sent to."""

    title = "Invalid cursor"

    def __init__(self) -> None:
        """Sets the detail that tells the caller what to do."""
        super().__init__("The cursor does not belong to this list. Start again without one.")


def encode_cursor(position: BaseModel, user_id: str, query: BaseModel) -> str:
    """Returns the cursor of the page after `position` in this user's list.

    Args:
        position: The sort key of the last row of the page before.
        user_id: The user whose list it is.
        query: The parameters of the list; its members `limit` and `cursor` may differ from page to page.
    """
    content = position.model_dump_json().encode()
    of_list = query.model_dump_json(exclude={"limit", "cursor"}, exclude_none=True).encode()
    checksum = blake2b(b"\0".join([content, of_list, user_id.encode()]), digest_size=_CHECKSUM_BYTES).digest()
    return urlsafe_b64encode(checksum + content).rstrip(b"=").decode()


def decode_cursor(cursor: str, model: type[PositionT], user_id: str, query: BaseModel) -> PositionT:
    """Returns the position in `cursor`.

    Raises:
        InvalidCursorError: `encode_cursor` did not return this cursor for this user and this list.
    """
    try:
        packed = b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = model.model_validate_json(packed[_CHECKSUM_BYTES:])
    except (UnicodeEncodeError, binascii.Error, ValidationError) as error:
        raise InvalidCursorError from error
    if encode_cursor(position, user_id, query) != cursor:
        raise InvalidCursorError
    return position


def split_page(rows: Sequence[RowT], limit: int) -> tuple[Sequence[RowT], RowT | None]:
    """Splits the result of a query for `limit` + 1 rows into a page and the row that its cursor is made of.

    Returns:
        The rows to show, and the last of them if more rows follow, else None.
    """
    shown = rows[:limit]
    return shown, shown[-1] if len(rows) > len(shown) else None
