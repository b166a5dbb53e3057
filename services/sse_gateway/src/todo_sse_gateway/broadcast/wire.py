"""Bytes of a `text/event-stream` response, after https://html.spec.whatwg.org/multipage/server-sent-events.html."""

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would collect the stream into buffers otherwise
)
HEARTBEAT = b": heartbeat\n\n"


def encode_event(name: str, data: bytes, event_id: str) -> bytes:
    """Encode one event that a client can resume after.

    `data` is JSON on one line. Raises ValueError for an id or data that would end the field early and so
    let one event forge another.
    """
    if not event_id.isprintable():
        raise ValueError(f"event id {event_id!r} cannot be a field of an event stream")
    if b"\n" in data or b"\r" in data:
        raise ValueError(f"data of event {event_id} spans several lines")
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), name.encode(), data)


def encode_opening(retry_milliseconds: int) -> bytes:
    """Encode the start of a stream: the reconnect delay, and bytes that make proxies pass the headers on."""
    return b"retry: %d\n: connected\n\n" % retry_milliseconds


def encode_ready(position: str) -> bytes:
    """Encode where a fresh stream starts, so that a client without any event yet can resume without a gap."""
    return encode_event("sync.ready", b"{}", position)


def encode_reset(position: str) -> bytes:
    """Encode that events were missed for good; `position` is where the stream goes on from."""
    return encode_event("sync.reset", b"{}", position)


def encode_bye(retry_milliseconds: int) -> bytes:
    """Encode the farewell of a stopping gateway; without id: the last real event stays the position."""
    return b"event: bye\nretry: %d\ndata: {}\n\n" % retry_milliseconds
