"""Delivery, resume and drain of the hub, without a network."""

import pytest

from todo_sse_gateway.broadcast.hub import Delivery, Hub
from todo_sse_gateway.broadcast.replay import Arrival
from todo_sse_gateway.broadcast.stream import EndReason, Stream
from todo_sse_gateway.errors import TooManyStreamsError
from todo_sse_gateway.limits import Limits


def hub_with(**limits: int) -> Hub:
    """Returns a hub whose clock stands still."""
    return Hub(Limits(**limits), clock=lambda: 0.0)


def arrival(event_id: str, number: int | None = None) -> Arrival:
    """Returns an event from the bus."""
    return Arrival(event_id, "backend task-events", number, "changed", event_id.encode())


def data_of(batch: bytes | None) -> list[bytes]:
    """Returns the data of the events in a batch; `{}` is that of a reset."""
    assert batch is not None
    return [line.removeprefix(b"data: ") for line in batch.splitlines() if line.startswith(b"data: ")]


async def opened(hub: Hub, user_id: str, last_event_id: str | None = None) -> Stream:
    """Opens a stream and reads its opening."""
    stream, _ = hub.open(user_id, last_event_id)
    await stream.next_batch()
    return stream


async def test_event_is_delivered_to_every_stream_of_its_user_and_no_other() -> None:
    """Two tabs of a user get the event, and another user's stream stays empty."""
    hub = hub_with()
    tabs = [await opened(hub, "ann"), await opened(hub, "ann")]
    of_bob = await opened(hub, "bob")
    assert hub.publish("ann", arrival("e1")) == Delivery(2, is_reset=False)
    assert [data_of(await tab.next_batch()) for tab in tabs] == [[b"e1"], [b"e1"]]
    assert of_bob.is_idle


async def test_event_seen_before_is_not_delivered_again() -> None:
    """A stream gets an event once, also when the bus delivers it twice."""
    hub = hub_with()
    stream = await opened(hub, "ann")
    hub.publish("ann", arrival("e1"))
    assert hub.publish("ann", arrival("e1")) is None
    assert data_of(await stream.next_batch()) == [b"e1"]
    assert stream.is_idle


async def test_new_stream_begins_with_a_position_to_resume_from() -> None:
    """A client that loses its connection before its first event can resume without a gap."""
    hub = hub_with()
    stream, is_reset = hub.open("ann", None)
    batch = await stream.next_batch()
    assert batch is not None
    assert batch.startswith(b"retry: ")
    assert b"\n: connected\n\nid: " in batch
    cursor = batch.split(b"id: ")[1].split(b"\n")[0].decode()
    assert not is_reset
    hub.publish("ann", arrival("e1"))
    resumed, is_reset = hub.open("ann", cursor)
    assert data_of(await resumed.next_batch()) == [b"e1"]
    assert not is_reset


async def test_missing_event_resets_the_streams_of_its_user_at_once() -> None:
    """After number 1 comes number 3: the browser of ann must read everything again, and bob's need not."""
    hub = hub_with()
    of_ann, of_bob = await opened(hub, "ann"), await opened(hub, "bob")
    hub.publish("ann", arrival("e1", 1))
    await of_ann.next_batch()
    assert hub.publish("ann", arrival("e3", 3)) == Delivery(1, is_reset=True)
    batch = await of_ann.next_batch()
    assert batch is not None
    assert b"event: sync.reset\n" in batch
    assert data_of(batch) == [b"{}"]
    hub.publish("ann", arrival("e4", 4))
    assert data_of(await of_ann.next_batch()) == [b"e4"]
    assert of_bob.is_idle


async def test_stream_after_an_unknown_event_is_reset() -> None:
    """A stream whose missed events are unknown gets `sync.reset` with its new position."""
    stream, is_reset = hub_with().open("ann", "never-seen")
    batch = await stream.next_batch()
    assert batch is not None
    assert b"event: sync.reset\ndata: {}\n\n" in batch
    assert is_reset


async def test_streams_of_a_user_are_limited_until_a_stream_is_discarded() -> None:
    """The limit applies to each user, and closing a tab permits another stream."""
    hub = hub_with(streams_per_user=1)
    stream = await opened(hub, "ann")
    with pytest.raises(TooManyStreamsError):
        hub.open("ann", None)
    await opened(hub, "bob")
    hub.discard(stream)
    await opened(hub, "ann")
    assert len(hub) == 2


async def test_drain_sends_bye_to_all_with_reconnect_delays_in_range() -> None:
    """Every open stream ends with `bye` and a delay inside the configured range."""
    hub = hub_with(wave_streams=2, drain_waves=3)
    streams = [await opened(hub, "ann") for _ in range(5)]
    await hub.drain(spread_seconds=0.003)
    batches = [await stream.next_batch() for stream in streams]
    delays = [int(batch.split(b"retry: ")[1].split(b"\n")[0]) for batch in batches if batch]
    assert len(delays) == 5
    assert all(500 <= delay <= 5000 for delay in delays)
    assert {stream.end_reason for stream in streams} == {EndReason.DRAINED}


async def test_drain_ends_many_streams_in_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two waves the other streams are still open."""
    hub = hub_with(wave_streams=2, drain_waves=3)
    for _ in range(5):
        await opened(hub, "ann")
    open_streams: list[tuple[float, int]] = []

    async def record(seconds: float) -> None:
        open_streams.append((seconds, sum(stream.end_reason is None for stream in hub)))

    monkeypatch.setattr("asyncio.sleep", record)
    await hub.drain(spread_seconds=6)
    assert open_streams == [(2, 3), (2, 1)]
