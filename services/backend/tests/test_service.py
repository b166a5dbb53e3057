"""The service as operators and other services see it: health, readiness, contract, schema."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_backend.app import create_app
from todo_backend.database import SCHEMA, Base
from todo_backend.openapi import render_openapi
from todo_backend.settings import Settings
from todo_kit.data.migrations import run_migrations
from todo_kit.data.testing import schema_drift
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher, TokenIssuer

CONTRACT = Path(__file__).parents[3] / "contracts" / "openapi.json"


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    """Returns a client without a token."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://backend.test")


def test_committed_openapi_document_is_current() -> None:
    """After a change of a route or schema, run `python -m todo_backend.openapi contracts/openapi.json`."""
    assert CONTRACT.read_text() == render_openapi()


async def test_migrations_create_exactly_the_models(engine: AsyncEngine) -> None:
    """The migrated schema is the one that the models describe."""
    assert await schema_drift(engine, Base.metadata) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    """A second run, as in every release, has nothing to do."""
    run_migrations("todo_backend", SCHEMA, database_url)


@pytest.mark.parametrize("path", ["/healthz", "/api/health"])
async def test_health_names_the_build(app: FastAPI, path: str) -> None:
    """Smoke tests can read without a token which build answers."""
    async with client_of(app) as client:
        response = await client.get(path)
    assert response.json() == {"status": "ok", "service": "backend", "build": "build-1"}


async def test_ready_while_the_database_answers(app: FastAPI) -> None:
    """The backend is ready when its only dependency, the database, answers."""
    async with client_of(app) as client:
        response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": {"database": "ok"}})


async def test_ready_while_slow_requests_hold_every_connection_of_the_pool(app: FastAPI) -> None:
    """A busy pod stays in service: taken out, it would only move its load to the next one."""
    async with AsyncExitStack() as held:
        pool = app.state.sessions.kw["bind"].pool
        for _ in range(pool.size() - pool.checkedout()):  # the outbox listens on one
            session = await held.enter_async_context(app.state.sessions())
            await session.execute(text("SELECT 1"))
        async with client_of(app) as client:
            response = await client.get("/readyz")
    assert response.status_code == 200


async def test_metrics_show_the_outbox_and_the_routes(app: FastAPI, alice: httpx2.AsyncClient) -> None:
    """Dashboards and alerts read these names."""
    await alice.get("/api/todos")
    text = (await alice.get("/metrics")).text
    assert 'http_requests_total{handler="/api/todos",method="GET",status="2xx"} 1.0' in text
    assert "outbox_backlog_events " in text
    assert "outbox_oldest_age_seconds " in text


async def test_without_a_database_requests_get_503_and_the_pod_is_not_ready(issuer: TokenIssuer) -> None:
    """While the database is away, a caller is asked to send the request again."""
    settings = Settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        app_api_token=APP_API_TOKEN,
        dapr_api_token=DAPR_API_TOKEN,
    )
    app = create_app(settings, publisher=MemoryPublisher())
    async with client_of(app) as client:
        ready = await client.get("/readyz")
        token = issuer.token("alice")
        listed = await client.get("/api/todos", headers={"Authorization": f"Bearer {token}"})
    assert (ready.status_code, ready.json()["checks"]) == (503, {"database": "failed"})
    assert (listed.status_code, listed.headers["Retry-After"]) == (503, "5")
