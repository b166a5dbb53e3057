"""Builds the FastAPI application that every service starts from."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI

from todo_kit.context import RequestContextMiddleware
from todo_kit.drain import Drain
from todo_kit.health import Check, ReadinessProbe, health_router
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
    readiness: Mapping[str, Check] | None = None,
) -> FastAPI:
    """Return an application with request ids, logs, metrics, problem+json, `/healthz`, `/readyz`, `/metrics`.

    `readiness` maps the name of a dependency to a coroutine function that raises while it does not answer.
    `app.state.drain` is the `Drain` that `todo_kit.server.serve` starts at SIGTERM. Nothing connects here.
    """
    configure_logging(settings)
    app = FastAPI(
        title=f"Todo {settings.service}",
        version="1",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: (
            route.name
        ),  # operation ids that clients can be generated from
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # the description is contracts/openapi.json, not for whoever reaches the port
    )
    app.state.drain = Drain()
    install_problems(app)
    install_metrics(app)
    app.add_middleware(RequestContextMiddleware)  # added last, so it is outermost
    app.include_router(health_router(settings, ReadinessProbe(readiness or {}, app.state.drain)))
    for router in routers:
        app.include_router(router)
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of `app`, with the schema that `problem_responses` refers to."""
    document = app.openapi()
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    return document
