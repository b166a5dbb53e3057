"""The base of simulated controllers: each asks the API server again and again in a thread of its own."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

import httpx2

from todo_embedded.errors import ApiError


class PollingController(ABC):
    """Calls `poll` regularly for the duration of the block."""

    def __init__(self, name: str, *, poll_seconds: float) -> None:
        """Prepares it; nothing is asked before the block begins."""
        self._poll_seconds = poll_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def poll(self) -> None:
        """Looks once, and does what is due; what the API server refuses is tried again in the next round."""

    def __enter__(self) -> Self:
        """Starts the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.poll()
            except (ApiError, httpx2.TransportError):
                continue
