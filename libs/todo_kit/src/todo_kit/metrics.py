"""Prometheus metrics of a service.

HTTP metrics are kept in a registry per application, so that two applications in one process (tests) never
count together. Everything else (a module's own counters, the process) is declared once in the default
registry.
"""

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_fastapi_instrumentator import Instrumentator


def install_metrics(app: FastAPI) -> None:
    """Measure the requests of `app` and serve `/metrics`.

    Gives `http_requests_total{handler,method,status="2xx"}` and the duration histograms. A stream counts with
    the time to its first byte, for its whole life would be no latency.
    """
    registry = CollectorRegistry()
    Instrumentator(
        excluded_handlers=["^/healthz$", "^/readyz$", "^/metrics$"],
        should_exclude_streaming_duration=True,
        registry=registry,
    ).instrument(app)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Both registries in the Prometheus text format."""
        body = generate_latest(registry) + generate_latest(REGISTRY)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})
