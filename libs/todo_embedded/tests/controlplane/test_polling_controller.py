"""The base of simulated controllers: what ends a round, and what ends the thread."""

import threading

import httpx2

from todo_embedded.controlplane.polling_controller import PollingController
from todo_embedded.errors import ApiError

ERRORS = (ApiError(503, "away"), httpx2.ConnectError("refused"), None)


class _Controller(PollingController):
    """Fails in its first rounds."""

    def __init__(self) -> None:
        super().__init__("test", poll_seconds=0.001)
        self.outcomes = list(ERRORS)
        self.is_done = threading.Event()

    def poll(self) -> None:
        """Raises what the round has in store."""
        if self.outcomes and (error := self.outcomes.pop(0)):
            raise error
        self.is_done.set()


def test_failed_round_is_followed_by_the_next_one_until_the_block_ends() -> None:
    """An API server that refuses or does not answer stops no controller."""
    with _Controller() as controller:
        assert controller.is_done.wait(10)
    assert not controller.outcomes
    assert "test" not in {thread.name for thread in threading.enumerate()}
