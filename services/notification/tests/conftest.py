"""Fixtures of the service's tests: one migrated database a run, emptied for each test that uses it."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_embedded.postgres import PostgresServer, postgres_server
from todo_kit.database import create_engine
from todo_kit.events import FieldChange, TaskEvent, TaskSnapshot
from todo_kit.migrations import run_migrations
from todo_kit.testing import MemoryPublisher, TokenIssuer
from todo_notification.app import create_app
from todo_notification.database import SCHEMA, Base
from todo_notification.settings import Settings

PATH = "/api/notifications"
ClientFor = Callable[[str], httpx2.AsyncClient]


class Bus:
    """Delivers to the service what the other services publish, as daprd does."""

    def __init__(self, app: FastAPI) -> None:
        """Deliver to `app`; `outcomes` has its answers."""
        self._publisher = MemoryPublisher(app)
        self.outcomes = self._publisher.outcomes

    async def task_completed(
        self, user_id: str, *, title: str = "Milk", event_id: str | None = None, task_id: UUID | None = None
    ) -> None:
        """Deliver that a task of the user was completed."""
        change = {"completed": FieldChange(old=False, new=True)}
        await self.task_event(
            user_id, "task.completed", title, changed_fields=change, event_id=event_id, task_id=task_id
        )

    async def task_event(
        self,
        user_id: str,
        event_type: str,
        title: str | None,
        *,
        changed_fields: dict[str, FieldChange] | None,
        event_id: str | None = None,
        task_id: UUID | None = None,
    ) -> None:
        """Deliver any change of a task; without a title the task is gone."""
        task_id = task_id or uuid4()
        now = datetime.now(UTC)
        task = title and TaskSnapshot(
            id=task_id,
            title=title,
            description="",
            completed=event_type == "task.completed",
            priority="low",
            due_date=None,
            created_at=now,
            updated_at=now,
        )
        event = TaskEvent.model_validate(
            {
                "event_type": event_type,
                "task_id": task_id,
                "user_id": user_id,
                "task": task or None,
                "changed_fields": changed_fields,
            }
        )
        await self.deliver("test-task-events", event_type, event.to_json(), event_id)

    async def deliver(self, topic: str, event_type: str, data: bytes, event_id: str | None = None) -> None:
        """Deliver any payload."""
        event_id = event_id or str(uuid4())
        await self._publisher.publish(topic, data, event_id=event_id, event_type=event_type, key="key")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run one server for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def database_url(postgres: PostgresServer) -> str:
    """Return the URL of a migrated database."""
    url = postgres.create_database("notification")
    run_migrations("todo_notification", SCHEMA, url)
    return url


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Return the tests' own way into the database."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def _empty_database(engine: AsyncEngine) -> None:
    names = ", ".join(f'"{table.schema}"."{table.name}"' for table in Base.metadata.sorted_tables)
    async with engine.begin() as connection:
        await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


@pytest.fixture(scope="session")
def issuer() -> Iterator[TokenIssuer]:
    """Run the issuer of every user's token."""
    with TokenIssuer() as running:
        yield running


@pytest.fixture(scope="session")
def settings(issuer: TokenIssuer, database_url: str) -> Settings:
    """Return settings that owe nothing to the environment."""
    return Settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        database_url=SecretStr(database_url),
        build_id="build-1",
        topic_prefix="test-",
    )


@pytest.fixture
def publisher() -> MemoryPublisher:
    """Return the bus that the application publishes to."""
    return MemoryPublisher()


@pytest.fixture
async def app(
    settings: Settings, publisher: MemoryPublisher, _empty_database: None
) -> AsyncIterator[FastAPI]:
    """Run the application on an empty database, its relay included."""
    app = create_app(settings, publisher=publisher)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def bus(app: FastAPI) -> Bus:
    """Return the bus that delivers to the application."""
    return Bus(app)


@pytest.fixture
async def client_for(app: FastAPI, issuer: TokenIssuer) -> AsyncIterator[ClientFor]:
    """Return a function that signs a user in: user id -> client."""
    clients: list[httpx2.AsyncClient] = []

    def sign_in(user_id: str) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://notification.test",
            headers={"Authorization": f"Bearer {issuer.token(user_id)}"},
        )
        clients.append(client)
        return client

    yield sign_in
    for client in clients:
        await client.aclose()


@pytest.fixture
def alice(client_for: ClientFor) -> httpx2.AsyncClient:
    """Return the client of a signed-in user."""
    return client_for("alice")


@pytest.fixture
def bob(client_for: ClientFor) -> httpx2.AsyncClient:
    """Return the client of another signed-in user."""
    return client_for("bob")
