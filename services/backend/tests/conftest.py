"""Says which service the shared fixtures run; they are documented in `todo_kit.data.fixtures`."""

import pytest

from todo_backend.app import create_app
from todo_backend.database import Base
from todo_backend.settings import Settings
from todo_kit.data.fixtures import *  # noqa: F403  # pytest finds fixtures by their names in this module
from todo_kit.data.fixtures import ServiceUnderTest


@pytest.fixture(scope="session")
def service() -> ServiceUnderTest:
    """Returns what the fixtures need to know of the backend."""
    return ServiceUnderTest("todo_backend", Base.metadata, Settings, create_app)
