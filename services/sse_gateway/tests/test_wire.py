"""Encoding of the event stream."""

import pytest

from todo_sse_gateway.broadcast import wire


def test_event_carries_id_name_and_data_in_one_block() -> None:
    """An event is three fields and an empty line, so a client stores its id together with its data."""
    assert (
        wire.encode_event("notification", b'{"a":1}', "e-1")
        == b'id: e-1\nevent: notification\ndata: {"a":1}\n\n'
    )


@pytest.mark.parametrize("data", [b'{"a":\n1}', b"{}\r"])
def test_event_data_of_several_lines_is_refused(data: bytes) -> None:
    """Data on several lines would be cut after its first line."""
    with pytest.raises(ValueError, match="spans several lines"):
        wire.encode_event("notification", data, "e-1")


def test_bye_has_no_id() -> None:
    """`bye` does not change the client's last event id, so the client resumes after its last real event."""
    assert wire.encode_bye(750) == b"event: bye\nretry: 750\ndata: {}\n\n"
