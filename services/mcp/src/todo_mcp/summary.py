"""Counts a user's tasks from the lists of the backend, which has no counts of its own."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from todo_mcp.backend import Backend
from todo_mcp.errors import InvalidArgumentsError
from todo_mcp.schemas import PriorityCounts, Status, Task, TaskList, TaskSummary

PAGE_SIZE = 100  # the most that the backend returns at once
MAX_PAGES = 20  # of pending and of completed tasks each, so that one call costs the backend at most 40
NEXT_DUE = 5


def zone_of(name: str) -> ZoneInfo:
    """Returns the time zone of an IANA name; raises `InvalidArgumentsError` if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, outside of the database, a folder in it
        raise InvalidArgumentsError(
            ["time_zone: must be a name of the IANA time zone database, such as Europe/Berlin."]
        ) from error


async def summarise(backend: Backend, token: str, now: datetime, zone: tzinfo) -> TaskSummary:
    """Returns the summary at `now`; what is due today depends on the day in `zone`."""
    pending: list[Task] = []
    is_complete = True
    async for page in _pages(backend, token, "pending"):
        pending += page.items
        is_complete = page.next_cursor is None
    completed = 0
    async for page in _pages(backend, token, "completed"):
        completed += len(page.items)
        is_complete_part = page.next_cursor is None
    dated = [(task.due_date, task) for task in pending if task.due_date is not None]
    today = now.astimezone(zone).date()
    return TaskSummary(
        pending=len(pending),
        completed=completed,
        overdue=sum(due < now for due, _ in dated),
        due_today=sum(due >= now and due.astimezone(zone).date() == today for due, _ in dated),
        pending_by_priority=PriorityCounts.model_validate(Counter(task.priority for task in pending)),
        next_due=[task for _, task in dated[:NEXT_DUE]],
        is_complete=is_complete and is_complete_part,
    )


async def _pages(backend: Backend, token: str, status: Status) -> AsyncIterator[TaskList]:
    """Yields the first pages of the tasks with `status`, those that are due first in front."""
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await backend.list_tasks(
            token,
            {
                "status": status,
                "sort_by": "due_date",
                "sort_dir": "asc",
                "limit": PAGE_SIZE,
                "cursor": cursor,
            },
        )
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
