"""Builds the FastAPI application of a service with a database, and publishes its outbox while it runs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI

from todo_kit.app import create_service
from todo_kit.auth import TokenVerifier
from todo_kit.bus import Publisher
from todo_kit.dapr_publisher import DaprPublisher
from todo_kit.data.database import create_engine, install_database_problems, ping, session_factory
from todo_kit.data.outbox import Outbox, Relay
from todo_kit.data.outbox.table import ON_COMMIT
from todo_kit.data.statements import Statements
from todo_kit.drain import Drain
from todo_kit.settings import DataServiceSettings


def create_data_service(
    settings: DataServiceSettings,
    *,
    outbox: Outbox,
    publisher: Publisher | None = None,
    routers: Iterable[APIRouter] = (),
) -> FastAPI:
    """Returns an application as `create_service` does, with a database, verified callers and an outbox relay.

    `app.state.sessions` makes database sessions, `app.state.statements` runs single statements and
    `app.state.verifier` verifies tokens. Nothing connects here: that is left to the first request and to the
    lifespan, which also runs the relay.

    Args:
        settings: The settings of the service.
        outbox: The outbox whose events are published.
        publisher: Where events go; None publishes through the Dapr sidecar.
        routers: The routes of the service.
    """
    # The readiness check has a connection of its own: while slow requests hold all others, a pod taken out of
    # service would only move the load to the next one.
    engine = create_engine(settings.database_url, pool_size=settings.database_connections - 1)
    probe_engine = create_engine(settings.database_url, pool_size=1)
    verifier = TokenVerifier.from_settings(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            stack.push_async_callback(probe_engine.dispose)
            stack.push_async_callback(verifier.aclose)
            bus = publisher
            if bus is None:
                sidecar = f"{settings.dapr_runtime_host}:{settings.dapr_grpc_port}"
                bus = dapr = DaprPublisher(
                    settings.pubsub_name, address=sidecar, api_token=settings.dapr_api_token
                )
                stack.push_async_callback(dapr.aclose)
            relay = Relay(engine, outbox, bus)
            app.state.sessions.configure(info={ON_COMMIT: relay.wake})
            app.state.statements.on_enqueued = relay.wake
            await stack.enter_async_context(relay.running())
            stack.callback(asyncio.create_task(_hand_over(app.state.drain, relay)).cancel)
            yield

    app = create_service(
        settings, lifespan=lifespan, routers=routers, readiness={"database": partial(ping, probe_engine)}
    )
    install_database_problems(app)
    app.state.verifier = verifier
    app.state.sessions = session_factory(engine)
    app.state.statements = Statements(engine)
    return app


async def _hand_over(drain: Drain, relay: Relay) -> None:
    """Lets another replica publish as soon as this one is to stop: its sidecar ends while it still serves."""
    await drain.wait()
    relay.stop()
