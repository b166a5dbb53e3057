"""How PostgreSQL runs the queries of lists when a user has many tasks."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_backend.tasks.listing import page_of_tasks
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.schemas import SortBy, SortDir, TaskQuery

TASKS = 20_000
LIMIT = 50
INDEXES = {
    "created_at": "ix_tasks_user",
    "due_date": "ix_tasks_user_due_date",
    "priority": "ix_tasks_user_priority",
}
MIDDLE = {
    "id": UUID(int=0),
    "created_at": datetime(2026, 1, 1, 3, tzinfo=UTC),
    "due_date": datetime(2026, 6, 1, tzinfo=UTC),
    "priority": "medium",
}
POSITIONS = {"start": None, "middle": MIDDLE, "undated": MIDDLE | {"due_date": None}}


@pytest.fixture
async def many_tasks(engine: AsyncEngine, empty_database: None) -> None:
    """Creates 20,000 tasks of one user, a third of them without a due date, and some of another user."""
    rows = """
        INSERT INTO todo.tasks
               (id, user_id, title, description, completed, priority, due_date, created_at, updated_at)
        SELECT gen_random_uuid(), CASE WHEN n % 50 = 0 THEN 'bob' ELSE 'alice' END, 'Task ' || n, '', false,
               (ARRAY['low', 'medium', 'high'])[1 + n % 3]::todo.priority,
               CASE WHEN n % 7 < 5 THEN '2026-01-01Z'::timestamptz + n % 366 * interval '1 day' END,
               '2026-01-01Z'::timestamptz + n * interval '1 second', '2026-01-01Z'
          FROM generate_series(1, :tasks) AS n
    """
    async with engine.begin() as connection:
        await connection.execute(text(rows), {"tasks": TASKS})
    async with engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("VACUUM ANALYZE todo.tasks"))


@pytest.mark.usefixtures("many_tasks")
async def test_every_order_reads_no_more_rows_than_the_page_has(engine: AsyncEngine) -> None:
    """From the first page on and from a cursor in the middle on, in both directions, by an index."""
    orders: list[tuple[SortBy, SortDir]] = list(
        itertools.product(("created_at", "due_date", "priority"), ("asc", "desc"))
    )
    for (sort_by, sort_dir), (name, members) in itertools.product(orders, POSITIONS.items()):
        query = TaskQuery(sort_by=sort_by, sort_dir=sort_dir, limit=LIMIT)
        after = TaskPosition.model_validate(members) if members else None
        nodes = list(_nodes(await _plan(engine, query, after)))
        scans = [node for node in nodes if "Scan" in node["Node Type"] and "Relation Name" in node]
        found = (sort_by, sort_dir, name, nodes)
        assert {node.get("Index Name") for node in scans} == {INDEXES[sort_by]}, found
        assert max(node["Actual Rows"] for node in nodes) <= 2 * (LIMIT + 1), found
        assert sum(node.get("Rows Removed by Filter", 0) for node in nodes) == 0, found


async def _plan(engine: AsyncEngine, query: TaskQuery, after: TaskPosition | None) -> dict[str, Any]:
    statement, parameters = page_of_tasks("alice", query, after)
    async with engine.connect() as connection:
        explained = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
        )
        plan: dict[str, Any] = explained.scalar_one()[0]["Plan"]
        return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {name: value for name, value in plan.items() if name != "Plans"}
    for child in plan.get("Plans", []):
        yield from _nodes(child)
