"""What `create_service` adds to every service: request ids, problems, health, metrics."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from todo_kit.app import create_service
from todo_kit.drain import Drain
from todo_kit.health import CACHE_SECONDS, ReadinessProbe
from todo_kit.problems import NotFoundError, ProblemError
from todo_kit.settings import ServiceSettings


@pytest.fixture
def app(settings: ServiceSettings) -> FastAPI:
    """Returns a service with a route for each result."""
    app = create_service(settings)

    @app.get("/things/{number}")
    async def thing(number: int) -> int:
        if number == 404:
            raise NotFoundError("There is no thing 404.")
        if number == 500:
            raise RuntimeError("private reason")
        return number

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Returns a client of that service."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.test") as client:
        yield client


async def test_raised_problem_is_rendered_once_with_the_request_id(client: httpx2.AsyncClient) -> None:
    """The answer names the request id, by which its log lines can be found."""
    response = await client.get("/things/404", headers={"X-Request-ID": "from-ingress-1"})
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Request-ID"] == "from-ingress-1"
    assert response.json() == {
        "type": "urn:todo:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no thing 404.",
        "request_id": "from-ingress-1",
    }


async def test_unexpected_exception_is_logged_and_not_disclosed(client: httpx2.AsyncClient) -> None:
    """The traceback is logged with the request id; the answer contains only that id."""
    with capture_logs() as logs:
        response = await client.get("/things/500")
    body = response.json()
    assert (response.status_code, body["request_id"]) == (500, response.headers["X-Request-ID"])
    assert "private reason" not in response.text
    assert [line["event"] for line in logs] == ["request_failed", "request"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("POST", "/things/1", 405), ("GET", "/things/x", 422)],
)
async def test_framework_errors_are_problems_too(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    """Clients need to parse a single form of error."""
    response = await client.request(method, path)
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["Content-Type"] == "application/problem+json"


async def test_405_names_every_method_of_the_path(app: FastAPI, client: httpx2.AsyncClient) -> None:
    """RFC 9110 requires all of them, whichever route of the path the framework finds first."""

    @app.delete("/things/{number}")
    async def remove(number: int) -> int:
        return number

    response = await client.put("/things/1")
    assert (response.status_code, response.headers["Allow"]) == (405, "DELETE, GET")


@pytest.mark.parametrize("request_id", ["short", "x" * 65, "with space", "line\tbreak", "é" * 8])
async def test_unacceptable_request_id_is_replaced(client: httpx2.AsyncClient, request_id: str) -> None:
    """A caller cannot write arbitrary text into the logs through the id."""
    response = await client.get("/things/1", headers={"X-Request-ID": request_id.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


async def test_request_is_logged_by_its_template_without_query(client: httpx2.AsyncClient) -> None:
    """What a user wrote into a URL is not logged."""
    with capture_logs() as logs:
        await client.get("/things/7?search=private")
    (line,) = logs
    assert (line["route"], line["status"], line["method"]) == ("/things/{number}", 200, "GET")
    assert "private" not in str(line)


async def test_error_class_without_a_status_or_title_is_refused() -> None:
    """There is no default status."""
    with pytest.raises(TypeError, match="must define status_code"):
        type("NamelessError", (ProblemError,), {"title": "Nameless"})


async def test_requests_are_counted_by_template_and_probes_are_not(client: httpx2.AsyncClient) -> None:
    """Alerts use `http_requests_total`, in which probes would outnumber requests."""
    for path in ("/things/1", "/things/2", "/things/500", "/healthz", "/readyz"):
        await client.get(path)
    text = (await client.get("/metrics")).text
    counted = [line for line in text.splitlines() if line.startswith("http_requests_total{")]
    assert sorted(counted) == [
        'http_requests_total{handler="/things/{number}",method="GET",status="2xx"} 2.0',
        'http_requests_total{handler="/things/{number}",method="GET",status="5xx"} 1.0',
    ]
    assert "process_cpu_seconds_total" in text


async def test_healthz_names_service_and_build(client: httpx2.AsyncClient) -> None:
    """A release checks that the build which answers is the one that it made."""
    assert (await client.get("/healthz")).json() == {"status": "ok", "service": "example", "build": "build-1"}


async def test_readyz_is_503_while_draining(app: FastAPI, client: httpx2.AsyncClient) -> None:
    """A pod that is stopping gets no new requests."""
    assert (await client.get("/readyz")).status_code == 200
    drain: Drain = app.state.drain
    drain.start()
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "draining", "checks": {}})


async def test_failing_dependency_is_named(settings: ServiceSettings) -> None:
    """The body says which dependency does not answer; the reason is only logged."""

    async def works() -> None:
        """Answers."""

    async def fails() -> None:
        raise ConnectionError("password=hunter2")

    app = create_service(settings, readiness={"database": fails, "bus": works})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.test") as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unready", "checks": {"database": "failed", "bus": "ok"}}


async def test_dependency_that_hangs_fails_after_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe is answered before the kubelet's time limit."""
    monkeypatch.setattr("todo_kit.health.CHECK_TIMEOUT_SECONDS", 0.01)

    async def hangs() -> None:
        await asyncio.Event().wait()

    probe = ReadinessProbe({"database": hangs}, Drain())
    assert (await probe.read()).checks == {"database": "failed"}


async def test_readiness_is_cached_for_a_short_time() -> None:
    """Concurrent probes check a dependency once, and a recovery is seen when the cache expires."""
    now = 0.0
    calls: list[Any] = []

    async def check() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise ConnectionError

    probe = ReadinessProbe({"database": check}, Drain(), clock=lambda: now)
    states = await asyncio.gather(*(probe.read() for _ in range(5)))
    assert ({state.status for state in states}, len(calls)) == ({"unready"}, 1)
    now += CACHE_SECONDS
    assert ((await probe.read()).status, len(calls)) == ("ready", 2)
