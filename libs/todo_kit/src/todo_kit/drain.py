"""The signal that this process is about to stop, given before anything is closed."""

import asyncio


class Drain:
    """Is set once, when the process is asked to stop; open streams wait for it and end themselves."""

    def __init__(self) -> None:
        """Creates a signal that is not set."""
        self._event = asyncio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether the process has been asked to stop."""
        return self._event.is_set()

    def start(self) -> None:
        """Starts draining. Call it on the event loop's thread; a second call changes nothing."""
        self._event.set()

    async def wait(self) -> None:
        """Returns when draining starts."""
        await self._event.wait()
