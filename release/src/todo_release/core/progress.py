"""How work in progress reports to whoever watches it."""

from typing import Protocol


class Say(Protocol):
    """How a handler speaks while it works."""

    def __call__(self, text: str, *, is_note: bool = False) -> None:
        """Tell a line of output, or (`is_note`) where the work stands."""
