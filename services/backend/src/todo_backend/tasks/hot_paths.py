"""Lists and creates tasks with one statement each: the requests that users wait for most.

SQLAlchemy composes the text of each once.
"""

from datetime import UTC
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, cast, func, insert, literal_column, select

from todo_backend.database import outbox
from todo_backend.tasks.listing import page_of_tasks
from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.schemas import Task, TaskQuery
from todo_kit.data.outbox import NewEvent, enqueue_from, event_parameters
from todo_kit.data.statements import Statements, compile_statement

INSTANTS = ("due_date", "created_at", "updated_at")


async def read_page(
    statements: Statements, user_id: str, query: TaskQuery, after: TaskPosition | None
) -> list[dict[str, Any]]:
    """Returns at most `query.limit` + 1 tasks after `after`; the extra one shows that more follow.

    They have the members of `Task`. They are not models, which would make this several times slower.
    """
    rows = await statements.fetch(*page_of_tasks(user_id, query, after))
    for row in rows:
        for name in INSTANTS:
            if row[name] is not None:
                row[name] = row[name].astimezone(UTC)
    return rows


async def insert_task(
    statements: Statements, user_id: str, task: Task, event: NewEvent, *, max_tasks: int
) -> bool:
    """Stores a task with its event, unless the user has `max_tasks` already; returns whether it did.

    Args:
        statements: Where to run the statement.
        user_id: Whose task it is.
        task: The task.
        event: The event that says so.
        max_tasks: Requests at the same time may exceed it by their number. It bounds the time of a search,
            and to keep it exactly they would have to wait for each other.
    """
    parameters = {**task.model_dump(), "user_id": user_id, "last_allowed": max_tasks - 1}
    (row,) = await statements.enqueue(_insertion(), parameters | event_parameters(event))
    return bool(row["stored"])


@cache
def _insertion() -> str:
    table = TaskRecord.__table__
    user_id = bindparam("user_id", type_=table.c.user_id.type)
    # Reads no more of the index than up to the last task that is allowed.
    last_allowed: Select[tuple[int]] = select(literal_column("1")).where(table.c.user_id == user_id)
    last_allowed = last_allowed.offset(bindparam("last_allowed")).limit(literal_column("1"))
    values = [cast(bindparam(column.name, type_=column.type), column.type) for column in table.c]
    rows = insert(TaskRecord).from_select(list(table.c), select(*values).where(~last_allowed.exists()))
    created = rows.returning(table.c.id).cte("created")
    return compile_statement(select(func.count().label("stored")).select_from(enqueue_from(created, outbox)))
