"""What a load test counts: the answers of each route, and each failure with its time."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered as it should be; `at` is in seconds of `time.time`."""

    at: float
    route: str
    seen: str


@dataclass(slots=True)
class RouteCounts:
    """The requests of one route."""

    requests: int = 0
    failed: int = 0
    slowest_ms: float = 0.0


@dataclass
class Counts:
    """The requests of all routes, in the order of their first request."""

    routes: dict[str, RouteCounts] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(route.requests for route in self.routes.values())

    def count(self, route: str, began_at: float, failure: str | None = None) -> None:
        """Counts a request that began at `began_at` (of `time.monotonic`); `failure` says what was wrong."""
        counts = self.routes.setdefault(route, RouteCounts())
        counts.requests += 1
        counts.slowest_ms = max(counts.slowest_ms, (time.monotonic() - began_at) * 1000)
        if failure is not None:
            counts.failed += 1
            self.failures.append(Failure(time.time(), route, failure))
