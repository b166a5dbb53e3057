"""Pytest fixtures for a service with a database: PostgreSQL, the running application, signed-in clients.

The `conftest.py` of a service imports all of them with `from todo_kit.data.fixtures import *` and defines the
fixture `service`, which says what to run. There is one database per run, emptied before each test that uses
the application.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_embedded.postgres import PostgresServer, postgres_server
from todo_kit.data.database import create_engine
from todo_kit.data.migrations import run_migrations
from todo_kit.data.testing import empty_tables
from todo_kit.settings import DataServiceSettings
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher, TokenIssuer

__all__ = [
    "alice",
    "app",
    "bob",
    "client_for",
    "database_url",
    "empty_database",
    "engine",
    "issuer",
    "postgres",
    "publisher",
    "settings",
]

ClientFor = Callable[[str], httpx2.AsyncClient]


@dataclass(frozen=True)
class ServiceUnderTest:
    """What the fixtures need to know of a service; `package` is the name under which it is imported."""

    package: str
    metadata: MetaData
    settings: Callable[..., DataServiceSettings]
    create_app: Callable[..., FastAPI]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Runs a PostgreSQL server for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def database_url(postgres: PostgresServer, service: ServiceUnderTest) -> str:
    """Returns the URL of a database that the service's migrations were run on."""
    url = postgres.create_database(service.package)
    run_migrations(service.package, str(service.metadata.schema), url)
    return url


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Returns an engine by which tests read the database themselves."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def empty_database(engine: AsyncEngine, service: ServiceUnderTest) -> None:
    """Empties the service's tables."""
    await empty_tables(engine, service.metadata)


@pytest.fixture(scope="session")
def issuer() -> Iterator[TokenIssuer]:
    """Runs the issuer of all tokens."""
    with TokenIssuer() as running:
        yield running


@pytest.fixture(scope="session")
def settings(service: ServiceUnderTest, issuer: TokenIssuer, database_url: str) -> DataServiceSettings:
    """Returns settings that do not depend on the environment."""
    return service.settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        database_url=SecretStr(database_url),
        build_id="build-1",
        topic_prefix="test-",
        app_api_token=APP_API_TOKEN,
        dapr_api_token=DAPR_API_TOKEN,
    )


@pytest.fixture
def publisher() -> MemoryPublisher:
    """Returns the bus that the application publishes to."""
    return MemoryPublisher()


@pytest.fixture
async def app(
    service: ServiceUnderTest,
    settings: DataServiceSettings,
    publisher: MemoryPublisher,
    empty_database: None,
) -> AsyncIterator[FastAPI]:
    """Runs the application on an empty database, with its outbox relay."""
    app = service.create_app(settings, publisher=publisher)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client_for(app: FastAPI, issuer: TokenIssuer) -> AsyncIterator[ClientFor]:
    """Returns a function that takes a user id and returns a client with that user's token."""
    clients: list[httpx2.AsyncClient] = []

    def sign_in(user_id: str) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://service.test",
            headers={"Authorization": f"Bearer {issuer.token(user_id)}"},
        )
        clients.append(client)
        return client

    yield sign_in
    for client in clients:
        await client.aclose()


@pytest.fixture
def alice(client_for: ClientFor) -> httpx2.AsyncClient:
    """Returns the client of a signed-in user."""
    return client_for("alice")


@pytest.fixture
def bob(client_for: ClientFor) -> httpx2.AsyncClient:
    """Returns the client of another signed-in user."""
    return client_for("bob")
