"""Puts the backend together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI

from todo_backend.database import outbox
from todo_backend.settings import Settings
from todo_backend.tasks import routes as tasks
from todo_backend.tasks.service import TaskService
from todo_kit.app import create_service
from todo_kit.auth import TokenVerifier
from todo_kit.bus import DaprPublisher, Publisher
from todo_kit.database import create_engine, install_database_problems, ping, session_factory
from todo_kit.health import Health, current_health
from todo_kit.outbox import Relay
from todo_kit.topics import Topics


def create_app(settings: Settings, *, publisher: Publisher | None = None) -> FastAPI:
    """Return the backend; events go to `publisher`, or through the Dapr sidecar without one.

    Connects to nothing: that is left to the first request and to the lifespan, which also runs the relay.
    """
    engine = create_engine(settings.database_url)
    verifier = TokenVerifier.from_settings(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            stack.push_async_callback(verifier.aclose)
            bus = publisher
            if bus is None:
                sidecar = bus = DaprPublisher(settings.pubsub_name)
                stack.push_async_callback(sidecar.aclose)
            await stack.enter_async_context(Relay(engine, outbox, bus).running())
            yield

    app = create_service(
        settings,
        lifespan=lifespan,
        routers=[tasks.router, _public_health(settings)],
        readiness={"database": partial(ping, engine)},
    )
    install_database_problems(app)
    app.state.verifier = verifier
    app.state.tasks = TaskService(session_factory(engine), Topics(settings.topic_prefix))
    return app


def _public_health(settings: Settings) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/api/health")
    async def get_health() -> Health:
        """Say that the backend answers; needs no token."""
        return current_health(settings)

    return router
