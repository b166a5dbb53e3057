"""Builds the FastAPI application that every service starts from.

`todo_kit.data.app` adds what services with a database share.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI

from todo_kit.body_limit import BodyLimitMiddleware
from todo_kit.context import RequestContextMiddleware
from todo_kit.drain import Drain
from todo_kit.health import ReadinessCheck, ReadinessProbe, health_router
from todo_kit.logging import configure_logging
from todo_kit.metrics import install_metrics
from todo_kit.problems import Problem, install_problems
from todo_kit.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_service(
    settings: ServiceSettings,
    *,
    lifespan: Lifespan | None = None,
    routers: Iterable[APIRouter] = (),
    readiness: Mapping[str, ReadinessCheck] | None = None,
) -> FastAPI:
    """Returns an application with request ids, logs, problem+json, a limit of bodies, health and metrics.

    Nothing connects here. `app.state.drain` is the `Drain` that `todo_kit.server.serve` starts at SIGTERM.

    Args:
        settings: The settings of the service.
        lifespan: Opens and closes what the service keeps while it runs.
        routers: The routes of the service.
        readiness: For each dependency a coroutine function that raises while the dependency does not answer.
    """
    configure_logging(settings)
    app = FastAPI(
        title=f"Todo {settings.service}",
        version="1",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # generated clients use it as a method's name
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # contracts/openapi.json is the description; the port does not serve it
    )
    app.state.drain = Drain()
    install_problems(app)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    install_metrics(app)
    app.add_middleware(RequestContextMiddleware)  # added last, so it is outermost
    app.include_router(health_router(settings, ReadinessProbe(readiness or {}, app.state.drain)))
    for router in routers:
        app.include_router(router)
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Returns the OpenAPI document of `app`, with the schema that `problem_responses` refers to."""
    document = app.openapi()
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    return document
