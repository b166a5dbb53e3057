"""Load on the released application from a thread beside the test, and the address of production."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from todo_synthetic_user.load.run import LoadReport, LoadShape, run_load
from todo_synthetic_user.origin import Origin, parse_address

from .conftest import HOSTS, RepositoryClone
from .running_cluster import HTTPS_ADDRESS

START_SECONDS = 120
STOP_SECONDS = 90
SHOWN_FAILURES = 20


def production(clone: RepositoryClone) -> Origin:
    """Returns the public address of production."""
    ca_file = clone.overlay.with_name("ca.pem")
    return Origin(f"https://{HOSTS['production']}", connect_to=parse_address(HTTPS_ADDRESS), ca_file=ca_file)


class BackgroundLoad:
    """Constant load from the begin of a block to its end; `report` is there afterwards."""

    report: LoadReport

    def __init__(self, origin: Origin, shape: LoadShape | None = None) -> None:
        """Prepares the load of three users with two streams each, unless another shape is given."""
        self._origin = origin
        self._shape = shape or LoadShape()
        self._ready = threading.Event()
        self._stop: Callable[[], None] = lambda: None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        """Returns when all streams are open and requests are sent."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError(f"the load did not start within {START_SECONDS} s")
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the load and compares what the streams show with the server."""
        with suppress(RuntimeError):  # the load has failed, and its loop is closed
            self._stop()
        self._thread.join(STOP_SECONDS)
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._load())
        except Exception as error:  # noqa: BLE001  # it is raised in the test's thread
            self._error = error
        finally:
            self._ready.set()

    async def _load(self) -> None:
        stop, running = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set) and None
        load = asyncio.create_task(run_load(self._origin, self._shape, stop, running=running))
        waiting = asyncio.create_task(running.wait())
        await asyncio.wait({load, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if running.is_set():
            self._ready.set()
        self.report = await load


def problems_of(report: LoadReport) -> list[str]:
    """Returns what a user noticed, a line each; an empty list when nothing."""
    failures = [f"{failure.at:.1f} {failure.route}: {failure.seen}" for failure in report.counts.failures]
    return [
        *failures[:SHOWN_FAILURES],
        *([f"and {len(failures) - SHOWN_FAILURES} failures more"] if len(failures) > SHOWN_FAILURES else []),
        *([f"{report.events_lost} events lost"] if report.events_lost else []),
        *(f"a stream was cut {stream.cut} times" for stream in report.streams if stream.cut),
        *(
            [f"{len(report.streams) - report.equal_streams} streams differ from the server"]
            if report.equal_streams != len(report.streams)
            else []
        ),
    ]


def record(report: LoadReport, measure: Callable[[str, object], None]) -> None:
    """Records the row of the table that the run of the tests prints."""
    counts = report.counts
    measure("seconds", round(report.seconds))
    measure("requests", counts.requests)
    measure("failed", len(counts.failures))
    measure("slowest", f"{max(route.slowest_ms for route in counts.routes.values()):.0f} ms")
    measure("events", sum(stream.events for stream in report.streams))
    measure("lost", report.events_lost)
    measure("streams moved", sum(stream.opened - 1 for stream in report.streams))
    measure("resets", sum(stream.resets for stream in report.streams))
    measure("streams equal", f"{report.equal_streams}/{len(report.streams)}")
