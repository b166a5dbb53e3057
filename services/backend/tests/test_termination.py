"""What a replica of the backend does between SIGTERM and its end."""

import asyncio

import httpx2
from fastapi import FastAPI

from todo_backend.app import create_app
from todo_backend.settings import Settings
from todo_kit.testing import MemoryPublisher, wait_until


def running_relays() -> int:
    """Counts the relays that have not ended; the last batch of one may hold an event of a moment later."""
    return sum(task.get_name() == "outbox-relay" for task in asyncio.all_tasks())


async def test_events_of_a_terminating_replica_are_published_by_another_at_once(
    app: FastAPI, alice: httpx2.AsyncClient, publisher: MemoryPublisher, settings: Settings
) -> None:
    """Its sidecar ends while it still serves, so it lets another replica publish from the beginning."""
    other_bus = MemoryPublisher()
    other = create_app(settings, publisher=other_bus)
    await alice.post("/api/todos", json={"title": "A"})
    await wait_until(lambda: len(publisher.published) == 1)  # so it is this one that publishes
    async with other.router.lifespan_context(other):
        app.state.drain.start()
        await wait_until(lambda: running_relays() == 1)
        assert (await alice.post("/api/todos", json={"title": "B"})).status_code == 201
        await wait_until(lambda: b'"B"' in b"".join(event.data for event in other_bus.published))
    assert len(publisher.published) == 1
