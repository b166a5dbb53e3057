"""Builds the backend's application."""

from fastapi import APIRouter, FastAPI

from todo_backend.database import outbox
from todo_backend.settings import Settings
from todo_backend.tasks import routes as tasks
from todo_backend.tasks.service import TaskService
from todo_kit.bus import Publisher
from todo_kit.data.app import create_data_service
from todo_kit.health import Health, current_health
from todo_kit.topics import Topics


def create_app(settings: Settings, *, publisher: Publisher | None = None) -> FastAPI:
    """Returns the backend; events go to `publisher`, or through the Dapr sidecar without one."""
    app = create_data_service(
        settings, outbox=outbox, publisher=publisher, routers=[tasks.router, _public_health(settings)]
    )
    app.state.tasks = TaskService(
        app.state.sessions,
        app.state.statements,
        Topics(settings.topic_prefix),
        max_tasks=settings.max_tasks_per_user,
    )
    return app


def _public_health(settings: Settings) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/api/health")
    async def get_health() -> Health:
        """Say that the backend answers; needs no token."""
        return current_health(settings)

    return router
