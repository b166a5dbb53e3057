"""A consumer is ready when each of its own events has come back once."""

import asyncio

import pytest

from todo_kit.bus import PublishError
from todo_kit.canary import KEYS, Canary, NotJoinedError
from todo_kit.testing import MemoryPublisher, wait_until


async def test_ready_when_every_key_of_every_topic_has_come_back() -> None:
    """One partition that does not deliver yet is enough to be not ready."""
    canary, bus = Canary(["a", "b"]), MemoryPublisher()
    running = asyncio.create_task(canary.run(bus))
    await wait_until(lambda: len(bus.published) >= 2 * KEYS)
    first, *others = bus.published[: 2 * KEYS]
    for event in others:
        canary.received(event.topic, event.key)
    with pytest.raises(NotJoinedError, match=f"1 of {2 * KEYS}"):
        await canary.check()
    canary.received(first.topic, first.key)
    await canary.check()
    await running


async def test_events_of_another_process_change_nothing() -> None:
    """Every replica receives the events of all."""
    canary, other, bus = Canary(["a"]), Canary(["a"]), MemoryPublisher()
    running = asyncio.create_task(other.run(bus))
    await wait_until(lambda: len(bus.published) >= KEYS)
    for event in bus.published:
        canary.received(event.topic, event.key)
    with pytest.raises(NotJoinedError, match=f"{KEYS} of {KEYS}"):
        await canary.check()
    running.cancel()


async def test_bus_that_refuses_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sidecar starts after the application, so the first attempts fail."""
    monkeypatch.setattr("todo_kit.canary.REPEAT_SECONDS", 0.001)
    canary = Canary(["a"])

    class Delivering(MemoryPublisher):
        async def publish(self, topic: str, data: bytes, *, event_id: str, event_type: str, key: str) -> None:
            if len(self.published) < KEYS:
                self.published.append(None)  # type: ignore[arg-type]  # only counted
                raise PublishError("no sidecar yet")
            canary.received(topic, key)

    await canary.run(Delivering())
    await canary.check()
