"""The queue of a stream."""

from todo_sse_gateway.broadcast.stream import COALESCED_CHUNKS, EndReason, Stream


async def test_queued_events_are_joined_up_to_the_limit() -> None:
    """A slow reader gets its events in few writes, and none is lost or reordered."""
    stream = Stream("ann", queue_events=100)
    chunks = [f"{number};".encode() for number in range(COALESCED_CHUNKS + 1)]
    for chunk in chunks:
        stream.push(chunk)
    assert await stream.next_batch() == b"".join(chunks[:COALESCED_CHUNKS])
    assert await stream.next_batch() == chunks[COALESCED_CHUNKS]


async def test_full_queue_ends_the_stream() -> None:
    """A reader that reads nothing uses a limited amount of memory."""
    stream = Stream("ann", queue_events=2)
    for _ in range(3):
        stream.push(b"x")
    assert stream.end_reason is EndReason.OVERFLOWED


async def test_opening_does_not_count_against_the_queue() -> None:
    """A stream that starts with replayed events has the whole queue for live ones."""
    stream = Stream("ann", queue_events=1, opening=[b"replayed"])
    stream.push(b"live")
    assert stream.end_reason is None
    assert await stream.next_batch() == b"replayedlive"


async def test_ended_stream_returns_queued_events_then_the_last_chunk_then_none() -> None:
    """Events queued before the end are sent, and later ones are not accepted."""
    stream = Stream("ann", queue_events=9)
    stream.push(b"event;")
    stream.end(EndReason.DRAINED, b"bye;")
    stream.push(b"late;")
    assert await stream.next_batch() == b"event;bye;"
    assert await stream.next_batch() is None


async def test_first_end_reason_counts() -> None:
    """A stream that ends twice reports the first reason."""
    stream = Stream("ann", queue_events=9)
    reasons: list[EndReason] = []
    stream.on_end(reasons.append)
    stream.end(EndReason.EXPIRED)
    stream.end(EndReason.DISCONNECTED)
    assert reasons == [EndReason.EXPIRED]
    assert stream.end_reason is EndReason.EXPIRED


async def test_callback_of_an_ended_stream_is_called_at_once() -> None:
    """A stream that ends before its callback is set still reports its end."""
    stream = Stream("ann", queue_events=9)
    stream.end(EndReason.DRAINED)
    reasons: list[EndReason] = []
    stream.on_end(reasons.append)
    assert reasons == [EndReason.DRAINED]
