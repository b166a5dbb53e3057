"""Liveness (`/healthz`: the process answers) and readiness (`/readyz`: it accepts requests)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from todo_kit.drain import Drain
from todo_kit.logging import get_logger
from todo_kit.settings import ServiceSettings

ReadinessCheck = Callable[[], Awaitable[object]]
"""Raises an exception while a dependency does not answer."""

CHECK_TIMEOUT_SECONDS = 1.0  # below the kubelet's probe timeout, so that our answer names the dependency
CACHE_SECONDS = 2.0

_log = get_logger(__name__)


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    service: str
    build: str


class Readiness(BaseModel):
    """Whether the process accepts requests, and the state of each dependency."""

    status: Literal["ready", "draining", "unready"]
    checks: dict[str, Literal["ok", "failed"]]


class ReadinessProbe:
    """Runs all checks at once, each with a time limit, and keeps the results for `CACHE_SECONDS`."""

    def __init__(
        self,
        checks: Mapping[str, ReadinessCheck],
        drain: Drain,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares to run `checks`, which are named by their dependency."""
        self._checks = dict(checks)
        self._drain = drain
        self._clock = clock
        self._lock = asyncio.Lock()
        self._results: dict[str, Literal["ok", "failed"]] = {}
        self._expires_at: float | None = None

    async def read(self) -> Readiness:
        """Returns the state; never raises."""
        if self._drain.is_draining:
            return Readiness(status="draining", checks={})
        async with self._lock:
            if self._expires_at is None or self._clock() >= self._expires_at:
                states = await asyncio.gather(*(self._run(*item) for item in self._checks.items()))
                self._results = dict(zip(self._checks, states, strict=True))
                self._expires_at = self._clock() + CACHE_SECONDS
            failed = "failed" in self._results.values()
            return Readiness(status="unready" if failed else "ready", checks=self._results)

    async def _run(self, name: str, check: ReadinessCheck) -> Literal["ok", "failed"]:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                await check()
        except Exception as error:  # noqa: BLE001  # whatever a dependency raises, the answer is "not ready"
            _log.warning("readiness_check_failed", check=name, error=repr(error))
            return "failed"
        return "ok"


def current_health(settings: ServiceSettings) -> Health:
    """Returns the body of `/healthz` for this build of the service."""
    return Health(service=settings.service, build=settings.build_id)


def health_router(settings: ServiceSettings, probe: ReadinessProbe) -> APIRouter:
    """Returns the routes `/healthz` (always 200) and `/readyz` (200, or 503 while draining or unready)."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Health:
        return current_health(settings)

    @router.get("/readyz")
    async def readyz(response: Response) -> Readiness:
        readiness = await probe.read()
        response.status_code = 200 if readiness.status == "ready" else 503
        return readiness

    return router
