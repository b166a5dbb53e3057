"""A stream's queue."""

from todo_sse_gateway.broadcast.stream import COALESCED_CHUNKS, EndReason, Stream


async def test_queued_events_are_joined_up_to_the_bound() -> None:
    """A reader that lags gets its events in few writes, none of them lost or reordered."""
    stream = Stream("ann", queue_events=100)
    chunks = [f"{number};".encode() for number in range(COALESCED_CHUNKS + 1)]
    for chunk in chunks:
        stream.push(chunk)
    assert await stream.next_batch() == b"".join(chunks[:COALESCED_CHUNKS])
    assert await stream.next_batch() == chunks[COALESCED_CHUNKS]


async def test_full_queue_ends_the_stream() -> None:
    """A reader that takes nothing costs a bounded amount of memory."""
    stream = Stream("ann", queue_events=2)
    for _ in range(3):
        stream.push(b"x")
    assert stream.end_reason is EndReason.OVERFLOWED


async def test_opening_does_not_count_against_the_queue() -> None:
    """A stream that starts with a replay has the whole queue for what is live."""
    stream = Stream("ann", queue_events=1, opening=[b"replayed"])
    stream.push(b"live")
    assert stream.end_reason is None
    assert await stream.next_batch() == b"replayedlive"


async def test_ended_stream_gives_what_is_queued_then_the_farewell_then_none() -> None:
    """Nothing that was accepted is lost at an orderly end, and nothing is accepted after it."""
    stream = Stream("ann", queue_events=9)
    stream.push(b"event;")
    stream.end(EndReason.DRAINED, b"bye;")
    stream.push(b"late;")
    assert await stream.next_batch() == b"event;bye;"
    assert await stream.next_batch() is None


async def test_first_end_reason_counts() -> None:
    """A stream that ends twice reports why it ended, not what came of it."""
    stream = Stream("ann", queue_events=9)
    reasons: list[EndReason] = []
    stream.on_end(reasons.append)
    stream.end(EndReason.EXPIRED)
    stream.end(EndReason.DISCONNECTED)
    assert reasons == [EndReason.EXPIRED]
    assert stream.end_reason is EndReason.EXPIRED


async def test_end_before_anyone_listens_is_told_later() -> None:
    """An end between opening and writing a stream is not missed."""
    stream = Stream("ann", queue_events=9)
    stream.end(EndReason.DRAINED)
    reasons: list[EndReason] = []
    stream.on_end(reasons.append)
    assert reasons == [EndReason.DRAINED]
