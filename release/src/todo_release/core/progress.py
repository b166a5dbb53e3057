"""How work in progress reports to the caller."""

from typing import Protocol


class ProgressCallback(Protocol):
    """Called with each message of work in progress."""

    def __call__(self, text: str, *, is_note: bool = False) -> None:
        """Receives a line of output, or (`is_note`) a short text about how far the work is."""
