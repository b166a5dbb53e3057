"""The two signals of a process that is about to stop, given before anything is closed.

`start` comes with SIGTERM: the process is not ready any more but serves every request, until load balancers
have noticed. `close` comes when they must have: from now on no connection is accepted.
"""

import asyncio


class Drain:
    """Each signal is set once; what runs for long waits for one of them and ends itself."""

    def __init__(self) -> None:
        """Creates signals that are not set."""
        self._started = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether the process has been asked to stop."""
        return self._started.is_set()

    @property
    def is_closing(self) -> bool:
        """Whether the process has stopped accepting connections."""
        return self._closing.is_set()

    def start(self) -> None:
        """Starts draining. Call it on the event loop's thread; a second call changes nothing."""
        self._started.set()

    def close(self) -> None:
        """Says that no connection is accepted any more, which also starts draining."""
        self._started.set()
        self._closing.set()

    async def wait(self) -> None:
        """Returns when draining starts."""
        await self._started.wait()

    async def wait_closing(self) -> None:
        """Returns when the process stops accepting connections."""
        await self._closing.wait()
