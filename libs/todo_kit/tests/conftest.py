"""Fixtures of todo_kit's tests: one PostgreSQL and one token issuer a run."""

from collections.abc import Iterator

import pytest

from todo_embedded.postgres import PostgresServer, postgres_server
from todo_kit.settings import ServiceSettings
from todo_kit.testing import TokenIssuer


class ExampleSettings(ServiceSettings):
    """A service that exists only here."""

    service = "example"
    port: int = 0


@pytest.fixture
def settings() -> ExampleSettings:
    """Return settings that owe nothing to the environment."""
    return ExampleSettings(build_id="build-1", log_level="debug")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run one server for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    """Run an issuer with one key."""
    with TokenIssuer() as running:
        yield running
