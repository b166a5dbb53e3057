"""Reads server-sent events (WHATWG HTML, section 9.2) and waits for the one that must come."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from todo_synthetic_user.person import UnexpectedAnswerError

EVENT_SECONDS = 10.0

ServerEvent = tuple[str, dict[str, Any]]


def read_events(response: httpx2.Response) -> Iterator[ServerEvent]:
    """Yields (name, data) of each event; a comment comes as (`:text`, {})."""
    name, data = "message", ""
    for line in response.iter_lines():
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield name, json.loads(data)
            name, data = "message", ""
        elif not key:
            yield f":{value}", {}
        elif key == "event":
            name = value
        elif key == "data":
            data += value


def wait_for_event(
    events: Iterator[ServerEvent], description: str, is_wanted: Callable[[str, dict[str, Any]], bool]
) -> None:
    """Reads events until the wanted one, for at most EVENT_SECONDS.

    Raises:
        UnexpectedAnswerError: it did not arrive in time, or the stream ended.
    """
    deadline = time.monotonic() + EVENT_SECONDS
    for name, data in events:
        if is_wanted(name, data):
            return
        if time.monotonic() > deadline:
            raise UnexpectedAnswerError(f"{description} did not arrive within {EVENT_SECONDS:g} s")
    raise UnexpectedAnswerError(f"the stream ended before {description}")
