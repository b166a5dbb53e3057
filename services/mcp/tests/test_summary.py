"""The summary of a user's tasks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest

from todo_kit.testing import TokenIssuer
from todo_mcp import summary
from todo_mcp.backend import Backend

from .backend_double import BackendDouble
from .calls import called
from .conftest import MemoryServer

NOW = datetime(2026, 12, 24, 22, 0, tzinfo=UTC)  # 23:00 in Berlin


async def summarised(double: BackendDouble, token: str, zone: str = "UTC") -> summary.TaskSummary:
    """Returns the summary of a user at `NOW`."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(double.app), base_url="http://backend.test"
    ) as client:
        return await summary.summarise(Backend(client), token, NOW, ZoneInfo(zone))


async def filled(double: BackendDouble, token: str, *due_hours: float | None) -> None:
    """Adds a task that is due so many hours after `NOW`, or never, for each of `due_hours`."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(double.app), base_url="http://backend.test"
    ) as client:
        for number, hours in enumerate(due_hours):
            due = (NOW + timedelta(hours=hours)).isoformat() if hours is not None else None
            await Backend(client).create_task(token, {"title": f"task {number}", "due_date": due})


@pytest.mark.parametrize(
    ("zone", "due_today"), [("UTC", 2), ("Europe/Berlin", 1), ("America/Los_Angeles", 3)]
)
async def test_due_today_depends_on_the_time_zone(
    double: BackendDouble, issuer: TokenIssuer, zone: str, due_today: int
) -> None:
    """The day of the user decides; what is overdue does not count as due today, and is overdue everywhere."""
    token = issuer.token("ann")
    await filled(double, token, -2, 0.5, 1.5, 5, 48, None)
    result = await summarised(double, token, zone)
    assert (result.pending, result.overdue, result.due_today) == (6, 1, due_today)
    assert [task.title for task in result.next_due] == [f"task {number}" for number in range(5)]
    assert result.pending_by_priority.model_dump() == {"high": 0, "medium": 6, "low": 0}
    assert result.is_complete


async def test_counting_ends_and_says_so(
    double: BackendDouble, issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too many tasks only those that are due first are counted, and the summary says so."""
    monkeypatch.setattr(summary, "PAGE_SIZE", 2)
    monkeypatch.setattr(summary, "MAX_PAGES", 2)
    token = issuer.token("ann")
    await filled(double, token, 1, 2, 3, 4)
    assert (await summarised(double, token)).is_complete
    await filled(double, token, -1)
    result = await summarised(double, token)
    assert (result.pending, result.overdue, result.is_complete) == (4, 1, False)


async def test_agent_reads_the_summary(memory_server: MemoryServer) -> None:
    """The tool counts pending and completed tasks by the clock of the service."""
    async with memory_server.agent_of("ann") as agent:
        done = await called(agent, "add_task", title="Milk", priority="high")
        await called(agent, "complete_task", task_id=done["id"])
        late = await called(agent, "add_task", title="Bread", priority="low", due_date="2001-01-01T00:00:00Z")
        assert await called(agent, "task_summary", time_zone="Europe/Berlin") == {
            "pending": 1,
            "completed": 1,
            "overdue": 1,
            "due_today": 0,
            "pending_by_priority": {"high": 0, "medium": 0, "low": 1},
            "next_due": [late],
            "is_complete": True,
        }
