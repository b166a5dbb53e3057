"""The service as operators see it: health, readiness, subscriptions, schema."""

import httpx2
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_kit.data.migrations import run_migrations
from todo_kit.data.testing import schema_drift
from todo_kit.sidecar_token import HEADER
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher, TokenIssuer
from todo_notification.app import create_app
from todo_notification.database import SCHEMA, Base
from todo_notification.settings import Settings


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    """Returns a client without a token."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notification.test")


async def test_migrations_create_exactly_the_models(engine: AsyncEngine) -> None:
    """The migrated schema is the one that the models describe."""
    assert await schema_drift(engine, Base.metadata) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    """A second run, as in every release, has nothing to do."""
    run_migrations("todo_notification", SCHEMA, database_url)


async def test_health_names_the_build(app: FastAPI) -> None:
    """Smoke tests can read which build answers."""
    async with client_of(app) as client:
        response = await client.get("/healthz")
    assert response.json() == {"status": "ok", "service": "notification", "build": "build-1"}


async def test_ready_while_the_database_answers(app: FastAPI) -> None:
    """The service is ready when its only dependency, the database, answers."""
    async with client_of(app) as client:
        response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": {"database": "ok"}})


async def test_subscriptions_have_the_environments_topics_and_dead_letters(app: FastAPI) -> None:
    """daprd reads both topics of this environment and the topic for events that cannot be handled."""
    async with client_of(app) as client:
        token = {HEADER: APP_API_TOKEN.get_secret_value()}
        entries = (await client.get("/dapr/subscribe", headers=token)).json()
    assert {(entry["pubsubname"], entry["topic"], entry["deadLetterTopic"]) for entry in entries} == {
        ("pubsub", "test-task-events", "test-dead-letters"),
        ("pubsub", "test-notifications", "test-dead-letters"),
    }


async def test_without_a_database_events_are_retried_and_requests_get_503(issuer: TokenIssuer) -> None:
    """While the database does not answer, no event is lost and callers are asked to try again."""
    settings = Settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        app_api_token=APP_API_TOKEN,
        dapr_api_token=DAPR_API_TOKEN,
    )
    app = create_app(settings, publisher=MemoryPublisher())
    bus = MemoryPublisher(app)
    overdue = b"""{"event_type": "reminder.overdue", "user_id": "alice", "title": "Taxes",
        "task_id": "00000000-0000-0000-0000-000000000001", "due_date": "2026-05-31T12:00:00Z"}"""
    await bus.publish("notifications", overdue, event_id="e", event_type="reminder.overdue", key="alice")
    async with client_of(app) as client:
        ready = await client.get("/readyz")
        headers = {"Authorization": f"Bearer {issuer.token('alice')}"}
        listed = await client.get("/api/notifications", headers=headers)
    assert bus.outcomes == ["RETRY"]
    assert (ready.status_code, listed.status_code) == (503, 503)
