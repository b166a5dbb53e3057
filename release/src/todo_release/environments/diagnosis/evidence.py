"""Keeps what a failed rollout leaves behind, before a rollback wipes it away: events, conditions, logs,
quotas, nodes.

Everything is fetched at once and within a few seconds of its own; what does not come in time is left out and
named in the index, because evidence must never delay the way back.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

from todo_release.adapters.kubernetes.objects import Snapshot, parse_pod
from todo_release.core.masking import mask_log
from todo_release.environments.diagnosis.tables import TABLES
from todo_release.environments.rollout.causes import RolloutFailure
from todo_release.environments.rollout.failure_detection import first_failure, possible_failures
from todo_release.errors import ClusterError

BUDGET_SECONDS = 5.0
PARALLEL_READS = 8
LOG_LINES = 500
INDEX = "README.md"


class EvidenceSources(Protocol):
    """What evidence is read from (`todo_release.adapters.kubernetes.client.Cluster`)."""

    def items(self, path: str) -> list[Any]:
        """The items of a list."""

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """The last lines of a container."""


def collect(
    cluster: EvidenceSources, namespace: str, folder: Path, *, budget_seconds: float = BUDGET_SECONDS
) -> Path:
    """Write the evidence of a namespace into a folder (made if need be) and return it; never raises for a
    cluster.

    Files: events.txt, one table a kind, logs/<pod>.<container>[.previous].log of pods that are not ready or
    have restarted, or of all when every pod is well. Specifications are left out, where environment values
    might stand; logs and events are masked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing: list[str] = []
    pool = ThreadPoolExecutor(PARALLEL_READS)
    try:
        reads = {name: pool.submit(cluster.items, one.path(namespace)) for name, one in TABLES.items()}
        found = _within(reads, budget_seconds / 2, missing)
        for name, items in found.items():
            (folder / f"{name}.txt").write_text(mask_log(TABLES[name].write(items)), encoding="utf-8")
        logs = {
            f"logs/{pod}.{container}{'.previous' if previous else ''}.log": pool.submit(
                cluster.log, namespace, pod, container, previous=previous, lines=LOG_LINES
            )
            for pod, container in _telling(found.get("pods", []))
            for previous in (False, True)
        }
        for name, text in _within(logs, budget_seconds / 2, missing).items():
            if text:
                path = folder / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(mask_log(text), encoding="utf-8")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    _write_index(folder, namespace, missing)
    return folder


def explain(snapshot: Snapshot) -> RolloutFailure | None:
    """The one thing that most keeps a namespace from being ready; None when everything that was asked for is.

    Unlike a watch it grants no time: it is asked by somebody who has waited already.
    """
    nothing_before = Snapshot({}, (), ())
    return first_failure(possible_failures(snapshot, nothing_before, is_applied=True))


def _within(reads: Mapping[str, Future[Any]], seconds: float, missing: list[str]) -> dict[str, Any]:
    """The results that came within their time; names of the others are added to `missing` with the reason."""
    wait(reads.values(), timeout=seconds)
    found = {}
    for name, read in reads.items():
        if not read.done():
            missing.append(f"{name}: not answered in time")
            continue
        try:
            found[name] = read.result()
        except ClusterError as error:
            missing.append(f"{name}: {error.problem}")
    return found


def _telling(pods: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Pod and container of the logs that say what is wrong: where nothing looks ill, it may be any."""
    found = [parse_pod(pod) for pod in pods]
    troubled = [pod for pod in found if not pod.is_ready or any(one.restarts for one in pod.containers)]
    for pod in troubled or found:
        for container in pod.containers:
            if container.state.phase != "waiting" or container.previous:
                yield pod.name, container.name


def _write_index(folder: Path, namespace: str, missing: Sequence[str]) -> None:
    lines = [
        f"# Evidence of namespace {namespace}, {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}",
        "",
    ]
    lines += [f"- {path.relative_to(folder)}" for path in sorted(folder.rglob("*")) if path.is_file()]
    lines += ["", "Not to be had:", "", *(f"- {one}" for one in missing)] if missing else []
    (folder / INDEX).write_text("\n".join(lines) + "\n", encoding="utf-8")


CollectEvidence = Callable[["Cluster", str, Path], Path]
