"""Prometheus metrics of a service.

HTTP metrics have a registry per application, so that two applications in one process (in tests) are counted
apart. Everything else (the metrics of modules and of the process) is declared once in the default registry.
"""

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_fastapi_instrumentator import Instrumentator


def install_metrics(app: FastAPI) -> None:
    """Measures the requests of `app` and adds the route `/metrics`.

    The metrics are `http_requests_total{handler,method,status="2xx"}` and the duration histograms. The
    duration of a stream ends at its first byte, because the whole length of a stream is no latency.
    """
    registry = CollectorRegistry()
    Instrumentator(
        excluded_handlers=["^/healthz$", "^/readyz$", "^/metrics$"],
        should_exclude_streaming_duration=True,
        registry=registry,
    ).instrument(app)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Returns both registries in the Prometheus text format."""
        body = generate_latest(registry) + generate_latest(REGISTRY)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})
