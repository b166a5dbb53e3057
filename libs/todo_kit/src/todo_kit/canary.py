"""Events by which a consumer finds out that it has joined: it publishes them and waits until they come back.

A consumer group that starts at the newest event gets nothing that was published before it joined, and no API
tells when that is. Other subscribers acknowledge these events and ignore them.
"""

import asyncio
import secrets
from collections.abc import Iterable
from contextlib import suppress

import orjson

from todo_kit.bus import CANARY_TYPE, Publisher, PublishError
from todo_kit.logging import get_logger

KEYS = 64
"""Different keys on each topic: one of 6 partitions gets none of them with a probability of 0.005 %."""

CONCURRENT = 16
REPEAT_SECONDS = 1.0

_log = get_logger(__name__)


class NotJoinedError(Exception):
    """The consumer has not received all of its own events yet."""


class Canary:
    """Publishes events of this process on all topics until each has been received once."""

    def __init__(self, topics: Iterable[str]) -> None:
        """Prepares; nothing is published yet."""
        self._token = secrets.token_hex(8)
        self._missing = {(topic, f"{self._token}-{number}") for topic in topics for number in range(KEYS)}
        self._amount = len(self._missing)

    async def check(self) -> None:
        """Raises `NotJoinedError` until all events have come back: a check of readiness."""
        if self._missing:
            raise NotJoinedError(f"{len(self._missing)} of {self._amount} canary events have not come back")

    def received(self, topic: str, key: str) -> None:
        """Takes the event that came back; those of other processes change nothing."""
        self._missing.discard((topic, key))

    async def run(self, publisher: Publisher) -> None:
        """Publishes what is missing, again and again, until nothing is."""
        slots = asyncio.Semaphore(CONCURRENT)

        async def publish(topic: str, key: str) -> None:
            async with slots:
                data = orjson.dumps({"event_type": CANARY_TYPE, "user_id": key})
                with suppress(PublishError):  # it stays missing, and the readiness check says so
                    await publisher.publish(topic, data, event_id=key, event_type=CANARY_TYPE, key=key)

        while self._missing:
            await asyncio.gather(*(publish(topic, key) for topic, key in sorted(self._missing)))
            await asyncio.sleep(REPEAT_SECONDS)
        _log.info("joined_the_bus")
