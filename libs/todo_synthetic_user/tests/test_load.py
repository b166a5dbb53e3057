"""The load: what it counts as failed or lost, and how its streams go on after an end."""

import asyncio
from typing import cast

import pytest

from todo_synthetic_user.load.run import LoadReport, LoadShape, run_load
from todo_synthetic_user.origin import Origin
from todo_synthetic_user.person import UnexpectedAnswerError

from .load_double import LoadDouble

SHAPE = LoadShape(users=2, streams_of_a_user=2, requests_per_second=400)
EVERY_ROUTE = {
    "GET /",
    "GET /sign-in",
    "GET /api/health",
    "GET /api/todos",
    "GET /.well-known/oauth-protected-resource/mcp",
    "GET /api/notifications",
    "GET /api/notifications/unread-count",
    "POST /api/notifications/read-all",
    "GET /api/auth/token",
    "GET /api/auth/get-session",
    "GET /api/auth/jwks",
    "GET /sse/tasks",
    "POST /api/todos",
    "GET /api/todos/{id}",
    "PATCH /api/todos/{id}",
    "PUT /api/todos/{id}",
    "PATCH /api/todos/{id}/complete",
    "DELETE /api/todos/{id}",
    "POST /mcp list_tasks",
    "POST /mcp add_task",
    "POST /mcp complete_task",
}


@pytest.fixture(autouse=True)
def few_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the users delete tasks soon."""
    monkeypatch.setattr("todo_synthetic_user.load.lanes.TASKS_KEPT", 4)


async def loaded(double: LoadDouble) -> LoadReport:
    """Loads the double until it has changed 80 tasks; half-way all streams are ended."""
    stop, running = asyncio.Event(), asyncio.Event()
    load = asyncio.create_task(run_load(cast("Origin", double), SHAPE, stop, running=running))
    waiting = asyncio.create_task(running.wait())
    await asyncio.wait({load, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if load.done():
        return await load
    async with asyncio.timeout(20):
        await double.has_changed(40)
        double.end_streams()
        await double.has_changed(80)
    stop.set()
    return await load


async def test_load_covers_every_route_and_passes_when_nothing_fails() -> None:
    """Streams that were ended resume where they were, and show at the end what the server has."""
    double = LoadDouble()
    report = await loaded(double)
    assert set(report.counts.routes) == EVERY_ROUTE
    assert report.counts.failures == []
    assert report.events_lost == 0
    assert report.equal_streams == len(report.streams) == 4
    assert report.has_passed
    assert [stream.opened for stream in report.streams] == [2] * 4
    assert [stream.cut for stream in report.streams] == [0] * 4
    assert sum(position is not None for position in double.resumed) == 4


@pytest.mark.parametrize("key", ["GET /api/notifications", "POST /mcp", "POST /api/todos"])
async def test_failed_request_is_counted_once_and_fails_the_load(key: str) -> None:
    """Nothing is tried again, because a user's browser would not try again either."""
    report = await loaded(LoadDouble(refused={key: 1}))
    [failure] = report.counts.failures
    assert failure.route.startswith(key)
    assert "502 instead of 20" in failure.seen
    assert not report.has_passed


async def test_refused_stream_is_a_failed_request_and_is_opened_again() -> None:
    """A stream that is answered 502 counts, and the tab goes on."""
    double = LoadDouble()
    double.refused["GET /sse/tasks"] = 1
    report = await loaded(double)
    assert [failure.route for failure in report.counts.failures] == ["GET /sse/tasks"]
    assert report.equal_streams == 4


async def test_event_that_never_arrives_is_counted_as_lost_on_every_stream() -> None:
    """The numbers of the events have a gap, although later states may hide the loss."""
    report = await loaded(LoadDouble(lost={20}))
    assert [stream.lost for stream in report.streams] == [1] * 4
    assert not report.has_passed


async def test_sign_up_waits_for_the_limit_of_its_address() -> None:
    """Several loads one after the other sign up more users than one address may at once."""
    double = LoadDouble(limited=3)
    report = await loaded(double)
    assert report.has_passed
    assert double.limited == 0


async def test_sign_up_that_stays_limited_is_an_error() -> None:
    """The load ends with the answer of the application instead of waiting for ever."""
    with pytest.raises(UnexpectedAnswerError, match="429"):
        await loaded(LoadDouble(limited=100))
