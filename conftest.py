"""What the tests of every package share."""

import signal
import sys
from collections.abc import Callable

import pytest


def pytest_configure() -> None:
    """Hear SIGINT even when started in the background, where a shell has it ignored, by all children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows progress although pytest captures: the first run on a machine builds for minutes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def show(message: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{message}\n")

    return show
