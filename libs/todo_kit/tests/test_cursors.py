"""Cursors of lists, and the split of a query's rows into pages; the services test them over HTTP."""

import pytest
from pydantic import BaseModel

from todo_kit.cursors import InvalidCursorError, decode_cursor, encode_cursor, split_page


class Position(BaseModel):
    """A sort key."""

    number: int


class Query(BaseModel):
    """The parameters of a list."""

    is_open: bool = True
    limit: int = 10
    cursor: str | None = None


CURSOR = encode_cursor(Position(number=7), "user-a", Query())


def test_cursor_is_decoded_to_its_position() -> None:
    """The page size and the cursor of the page before do not matter."""
    query = Query(limit=3, cursor=CURSOR)
    assert decode_cursor(CURSOR, Position, "user-a", query) == Position(number=7)


@pytest.mark.parametrize(
    ("cursor", "user_id", "query"),
    [
        (CURSOR, "user-b", Query()),
        (CURSOR, "user-a", Query(is_open=False)),
        (CURSOR[:-1], "user-a", Query()),
        (CURSOR + "A", "user-a", Query()),
        ("é", "user-a", Query()),
        ("", "user-a", Query()),
    ],
)
def test_cursor_of_another_user_or_list_or_a_changed_one_is_refused(
    cursor: str, user_id: str, query: Query
) -> None:
    """A cursor is valid only for the user and the list that it was made for."""
    with pytest.raises(InvalidCursorError):
        decode_cursor(cursor, Position, user_id, query)


@pytest.mark.parametrize(
    ("rows", "shown", "last"),
    [([], [], None), ([1], [1], None), ([1, 2], [1, 2], None), ([1, 2, 3], [1, 2], 2)],
)
def test_page_has_a_last_row_only_when_more_rows_follow(
    rows: list[int], shown: list[int], last: int | None
) -> None:
    """The row beyond the limit is not shown; it only shows that there is another page."""
    assert split_page(rows, 2) == (shown, last)
