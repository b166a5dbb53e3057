"""The SQL of lists: filters, and orders that an index serves from any cursor on.

Text is compared row by row within the tasks of one user, whose number is limited: that finds parts of words
in every language, and PostgreSQL prefers it to a text index for so few rows.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, union_all

from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.schemas import TagQuery, Task, TaskQuery
from todo_kit.data.database import UtcDateTime

_COLUMNS = [getattr(TaskRecord, name) for name in Task.model_fields]
_Rows = Select[Any]


def page_of_tasks(user_id: str, query: TaskQuery, after: TaskPosition | None) -> _Rows:
    """Returns the query for at most `query.limit` + 1 rows after `after`, with the fields of `Task`."""
    if query.sort_by == "due_date":
        return _by_due_date(user_id, query, after)
    key: list[Any] = [TaskRecord.created_at, TaskRecord.id]
    last: list[Any] = [literal(after.created_at), literal(after.id)] if after else []
    if query.sort_by == "priority":
        key = [TaskRecord.priority, *key]
        last = [literal(after.priority, TaskRecord.priority.type), *last] if after else []
    return _part(_filtered(user_id, query), query, key, last)


def tags_of_user(user_id: str, query: TagQuery) -> _Rows:
    """Returns the query for the user's tags that begin with a prefix, those of most tasks first."""
    each = select(func.unnest(TaskRecord.tags).label("tag")).where(TaskRecord.user_id == user_id).subquery()
    return (
        select(each.c.tag)
        .where(each.c.tag.startswith(query.prefix, autoescape=True))
        .group_by(each.c.tag)
        .order_by(func.count().desc(), each.c.tag)
        .limit(query.limit)
    )


def _by_due_date(user_id: str, query: TaskQuery, after: TaskPosition | None) -> _Rows:
    """Puts tasks without a due date last in either direction, which no order of one index does.

    Each of the two parts is a range of the index, and gives no more rows than the page has.
    """
    due, rest = TaskRecord.due_date, [TaskRecord.created_at, TaskRecord.id]
    filtered = _filtered(user_id, query)
    last_rest: list[Any] = [literal(after.created_at), literal(after.id)] if after else []
    # Ordered by the due date, although all are null, because PostgreSQL then sees that the index is in order.
    undated = filtered.where(due.is_(None))
    if after is not None and after.due_date is None:
        return _part(undated, query, rest, last_rest, leading=due)
    last = [literal(after.due_date, UtcDateTime), *last_rest] if after else []
    dated = _part(filtered.where(due.is_not(None)), query, [due, *rest], last)
    page = union_all(dated, _part(undated, query, rest, [], leading=due)).subquery()
    order = _ordered([page.c.due_date, page.c.created_at, page.c.id], query)
    return select(page).order_by(page.c.due_date.is_(None), *order).limit(query.limit + 1)


def _filtered(user_id: str, query: TaskQuery) -> _Rows:
    statement = select(*_COLUMNS).where(TaskRecord.user_id == user_id)
    if query.status is not None:
        statement = statement.where(TaskRecord.completed.is_(query.status == "completed"))
    if query.priority is not None:
        statement = statement.where(TaskRecord.priority == query.priority)
    if query.tag is not None:
        statement = statement.where(TaskRecord.tags.contains([query.tag]))
    if query.search:
        searched = (TaskRecord.title, TaskRecord.description)
        found = [column.icontains(query.search, autoescape=True) for column in searched]
        statement = statement.where(found[0] | found[1])
    return statement


def _part(
    rows: _Rows,
    query: TaskQuery,
    key: Sequence[Any],
    last: Sequence[ColumnElement[Any]],
    *,
    leading: Any = None,
) -> _Rows:
    """Returns the first rows in the order of `key` of those after the values `last`, if there are any."""
    if last:
        row, position = tuple_(*key), tuple_(*last)
        rows = rows.where(row < position if query.sort_dir == "desc" else row > position)
    columns = key if leading is None else [leading, *key]
    return rows.order_by(*_ordered(columns, query)).limit(query.limit + 1)


def _ordered(columns: Sequence[Any], query: TaskQuery) -> list[ColumnElement[Any]]:
    return [column.desc() if query.sort_dir == "desc" else column.asc() for column in columns]
