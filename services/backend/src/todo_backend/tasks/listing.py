"""The SQL of lists: filters, and orders that an index serves from any cursor on.

Text is compared row by row within the tasks of one user, whose number is limited: that finds parts of words
in every language, and PostgreSQL prefers it to a text index for so few rows.

SQLAlchemy composes each form of the query once; then it is sent as text, because lists are the requests that
users wait for most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

from sqlalchemy import ColumnElement, Select, bindparam, func, select, tuple_, union_all

from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.schemas import SortBy, SortDir, TagQuery, Task, TaskQuery
from todo_kit.data.statements import compile_statement

_COLUMNS = [getattr(TaskRecord, name) for name in Task.model_fields]
_Rows = Select[Any]


@dataclass(frozen=True, slots=True)
class ListForm:
    """What the text of the query depends on; `after` tells a cursor at a task without a due date apart."""

    filters: frozenset[str]
    sort_by: SortBy
    sort_dir: SortDir
    after: Literal["start", "dated", "undated"]

    @classmethod
    def of(cls, query: TaskQuery, after: TaskPosition | None) -> Self:
        """Returns the form of the query for the page after `after`."""
        members = query.model_dump(include={"status", "priority", "tag", "search"})
        position: Literal["start", "dated", "undated"] = "start"
        if after is not None:
            position = "undated" if after.due_date is None else "dated"
        return cls(
            frozenset(name for name, value in members.items() if value),
            query.sort_by,
            query.sort_dir,
            position,
        )


def page_of_tasks(user_id: str, query: TaskQuery, after: TaskPosition | None) -> tuple[str, dict[str, Any]]:
    """Returns the query for at most `query.limit` + 1 rows after `after`, and its parameters.

    Rows have the fields of `Task`.
    """
    parameters: dict[str, Any] = {
        "user_id": user_id,
        "row_limit": query.limit + 1,
        "completed": query.status == "completed",
        "priority": query.priority,
        "tags": [query.tag],
        "search": f"%{_escaped(query.search or '')}%",
    }
    if after is not None:
        parameters |= {f"after_{name}": value for name, value in after.model_dump().items()}
    return _text(ListForm.of(query, after)), parameters


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


@cache
def _text(form: ListForm) -> str:
    return compile_statement(_page(form))


def _page(form: ListForm) -> _Rows:
    if form.sort_by == "due_date":
        return _page_by_due_date(form)
    key = [TaskRecord.created_at, TaskRecord.id]
    if form.sort_by == "priority":
        key = [TaskRecord.priority, *key]
    return _part(_filtered(form), form, key, is_continued=form.after != "start")


def _page_by_due_date(form: ListForm) -> _Rows:
    """Puts tasks without a due date last in either direction, which no order of one index does.

    Each of the two parts is a range of the index, and gives no more rows than the page has.
    """
    key = [TaskRecord.due_date, TaskRecord.created_at, TaskRecord.id]
    filtered = _filtered(form)
    # Ordered by the due date, although all are null, because PostgreSQL then sees that the index is in order.
    undated = _part(
        filtered.where(TaskRecord.due_date.is_(None)), form, key, is_continued=form.after == "undated", skip=1
    )
    if form.after == "undated":
        return undated
    dated = _part(
        filtered.where(TaskRecord.due_date.is_not(None)), form, key, is_continued=form.after == "dated"
    )
    page = union_all(dated, undated).subquery()
    order = _ordered([page.c.due_date, page.c.created_at, page.c.id], form)
    return select(page).order_by(page.c.due_date.is_(None), *order).limit(bindparam("row_limit"))


def _filtered(form: ListForm) -> _Rows:
    conditions: dict[str, ColumnElement[bool]] = {
        "status": TaskRecord.completed == bindparam("completed"),
        "priority": TaskRecord.priority == bindparam("priority"),
        "tag": TaskRecord.tags.contains(bindparam("tags", type_=TaskRecord.tags.type)),
        "search": TaskRecord.title.ilike(bindparam("search"))
        | TaskRecord.description.ilike(bindparam("search")),
    }
    wanted = [condition for name, condition in conditions.items() if name in form.filters]
    return select(*_COLUMNS).where(TaskRecord.user_id == bindparam("user_id"), *wanted)


def _part(rows: _Rows, form: ListForm, key: Sequence[Any], *, is_continued: bool, skip: int = 0) -> _Rows:
    """Returns the first rows in the order of `key`, of those after the cursor if the part is continued.

    The first `skip` columns of the key are equal in all rows and therefore not compared.
    """
    if is_continued:
        columns = key[skip:]
        row = tuple_(*columns)
        last = tuple_(*(bindparam(f"after_{column.key}", type_=column.type) for column in columns))
        rows = rows.where(row < last if form.sort_dir == "desc" else row > last)
    return rows.order_by(*_ordered(key, form)).limit(bindparam("row_limit"))


def _ordered(columns: Sequence[Any], form: ListForm) -> list[ColumnElement[Any]]:
    return [column.desc() if form.sort_dir == "desc" else column.asc() for column in columns]


def _escaped(text: str) -> str:
    """Returns a pattern of LIKE that matches the text itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
