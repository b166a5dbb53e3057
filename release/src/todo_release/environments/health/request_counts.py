"""Counts answers in samples of metrics, and adds up what each pod has counted since the watch began."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from todo_release.adapters.metrics import MetricsUnavailableError, Sample
from todo_release.config.health_watch import WatchedLatency, WatchedRequests


class BucketMissingError(Exception):
    """A histogram has no bucket with the upper bound that is watched; the text names those that it has."""


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Answers and how many of them failed; durations and how many of them were too long."""

    answered: float = 0
    failed: float = 0
    timed: float = 0
    slow: float = 0

    def __add__(self, other: "RequestCounts") -> "RequestCounts":
        """Returns the sums."""
        return RequestCounts(
            self.answered + other.answered,
            self.failed + other.failed,
            self.timed + other.timed,
            self.slow + other.slow,
        )

    def since(self, earlier: "RequestCounts") -> "RequestCounts":
        """Returns what was counted after an earlier reading; all of it when the counters began anew.

        Counters that are high again after a restart show it where more answers failed than there were.
        """
        added = RequestCounts(
            self.answered - earlier.answered,
            self.failed - earlier.failed,
            self.timed - earlier.timed,
            self.slow - earlier.slow,
        )
        return added if 0 <= added.failed <= added.answered and 0 <= added.slow <= added.timed else self


def count_requests(
    samples: Iterable[Sample], requests: WatchedRequests, latency: WatchedLatency | None
) -> RequestCounts:
    """Returns the counts in the samples of one pod.

    Raises:
        BucketMissingError: the histogram is there, but not the bucket that is watched.
        MetricsUnavailableError: a value or a bound is none that a counter or a histogram may have.
    """
    answered = failed = timed = fast = 0.0
    bounds: set[float] = set()
    for sample in samples:
        if _is_excluded(sample.labels, requests.exclude):
            continue
        if sample.name == requests.counter:
            answered += _count(sample)
            status = sample.labels.get(requests.status_label, "")
            if any(fnmatchcase(status, pattern) for pattern in requests.failed):
                failed += sample.value
        elif latency is not None and sample.name == f"{latency.histogram}_count":
            timed += _count(sample)
        elif latency is not None and sample.name == f"{latency.histogram}_bucket":
            bound = _bound(sample)
            bounds.add(bound)
            if bound == latency.seconds:
                fast += _count(sample)
    if latency is not None and bounds and latency.seconds not in bounds:
        known = ", ".join(f"{bound:g}" for bound in sorted(bounds))
        raise BucketMissingError(
            f"{latency.histogram} has no bucket le={latency.seconds:g}; watch.latency.seconds may be {known}"
        )
    return RequestCounts(answered, failed, timed, max(timed - fast, 0))


def _count(sample: Sample) -> float:
    if not 0 <= sample.value < math.inf:
        raise MetricsUnavailableError(f"{sample.name} is {sample.value:g}, which is no count")
    return sample.value


def _bound(sample: Sample) -> float:
    text = sample.labels.get("le", "")
    try:
        return float(text)
    except ValueError as error:
        raise MetricsUnavailableError(f"{sample.name} has le={text!r}, which is no bound") from error


def _is_excluded(labels: Mapping[str, str], exclude: Mapping[str, tuple[str, ...]]) -> bool:
    return any(
        label in labels and fnmatchcase(labels[label], pattern)
        for label, patterns in exclude.items()
        for pattern in patterns
    )


class RequestLedger:
    """Keeps the last reading of each pod and returns what was added since.

    The counters of a new pod count from zero, so that no answer before the first reading is lost; those of a
    pod that ran before count from its first reading. A pod that is gone keeps what it had counted.
    """

    def __init__(self) -> None:
        """Starts without readings."""
        self._last: dict[str, RequestCounts] = {}

    def added(self, pod: str, counts: RequestCounts, *, is_new: bool) -> RequestCounts:
        """Returns what a pod has counted since its last reading."""
        before = self._last.get(pod, RequestCounts() if is_new else counts)
        self._last[pod] = counts
        return counts.since(before)
