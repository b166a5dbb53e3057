"""Fixtures of todo_kit's tests; all of them share one PostgreSQL server."""

from collections.abc import Iterator

import pytest

from todo_embedded.postgres import PostgresServer, postgres_server
from todo_kit.settings import ServiceSettings
from todo_kit.testing import TokenIssuer


class ExampleSettings(ServiceSettings):
    """Settings of a service that exists only in these tests."""

    service = "example"
    port: int = 0


@pytest.fixture
def settings() -> ExampleSettings:
    """Returns settings that do not depend on the environment."""
    return ExampleSettings(build_id="build-1", log_level="debug")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Runs a PostgreSQL server for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    """Runs an issuer with one key."""
    with TokenIssuer() as running:
        yield running
