"""The one word that a process is going away, said before anything is closed."""

import asyncio


class Drain:
    """Set once when the process is asked to end; open streams wait on it and say goodbye themselves."""

    def __init__(self) -> None:
        """Begin not draining."""
        self._event = asyncio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether the process has been asked to end."""
        return self._event.is_set()

    def start(self) -> None:
        """Begin draining. Call it on the event loop's thread; calling it again changes nothing."""
        self._event.set()

    async def wait(self) -> None:
        """Return when draining begins."""
        await self._event.wait()
