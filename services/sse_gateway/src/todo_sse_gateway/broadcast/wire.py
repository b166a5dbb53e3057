"""The bytes of a `text/event-stream` response (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # otherwise nginx buffers the stream
)
HEARTBEAT = b": heartbeat\n\n"


def encode_event(name: str, data: bytes, position: str) -> bytes:
    """Returns an event after whose position a client can resume; `data` is JSON on one line.

    Raises:
        ValueError: The data would end its field early, so the event could contain a forged one.
    """
    if b"\n" in data or b"\r" in data:
        raise ValueError("the data of an event spans several lines")
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (position.encode(), name.encode(), data)


def encode_opening(retry_milliseconds: int) -> bytes:
    """Returns the start of a stream: the reconnect delay, and bytes that make proxies send the headers."""
    return b"retry: %d\n: connected\n\n" % retry_milliseconds


def encode_ready(position: str) -> bytes:
    """Returns the position of a new stream, from which a client can resume before its first event."""
    return encode_event("sync.ready", b"{}", position)


def encode_reset(position: str) -> bytes:
    """Returns the event that says that missed events are lost; the stream continues at `position`."""
    return encode_event("sync.reset", b"{}", position)


def encode_bye(retry_milliseconds: int) -> bytes:
    """Returns the last event of a stopping gateway; it has no id, so the client's position stays."""
    return b"event: bye\nretry: %d\ndata: {}\n\n" % retry_milliseconds
