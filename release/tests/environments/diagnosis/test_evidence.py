"""The evidence of a failed rollout: what is kept, what is masked, and that it never takes long."""

import threading
from pathlib import Path
from typing import Any

import pytest

from todo_release.environments.diagnosis import evidence
from todo_release.errors import ClusterError

from ...doubles.kubernetes_objects import container, deployment, event, pod

ROOM = "api/v1/namespaces/staging"
CRASHED = pod(container(waiting="CrashLoopBackOff", restarts=3, last={"exitCode": 7, "reason": "Error"}))
LISTS: dict[str, list[dict[str, Any]]] = {
    f"{ROOM}/pods": [CRASHED],
    f"{ROOM}/events": [
        event("uid-web-2-a", "BackOff", "Back-off restarting, PASSWORD=hunter2hunter2 was wrong")
    ],
    "apis/apps/v1/namespaces/staging/deployments": [
        deployment(
            conditions=[{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}]
        )
    ],
    "apis/batch/v1/namespaces/staging/jobs": [],
    f"{ROOM}/resourcequotas": [
        {
            "metadata": {"name": "room"},
            "status": {"hard": {"requests.cpu": "4", "pods": "9"}, "used": {"requests.cpu": "3900m"}},
        }
    ],
    f"{ROOM}/limitranges": [
        {
            "metadata": {"name": "sizes"},
            "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "default": {"cpu": "100m"}}]},
        }
    ],
    "api/v1/nodes": [
        {
            "metadata": {"name": "pool-1"},
            "status": {
                "allocatable": {"cpu": "1900m", "memory": "3110Mi", "pods": "110"},
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "MemoryPressure", "status": "True"},
                ],
            },
        }
    ],
}


class EvidenceSources:
    """Gives what was prepared; `away` are paths that fail, `stuck` those that wait for `is_over`."""

    def __init__(self, *, away: tuple[str, ...] = (), stuck: tuple[str, ...] = ()) -> None:
        """Logs are asked for by pod and container."""
        self.away, self.stuck = away, stuck
        self.is_over = threading.Event()

    def items(self, path: str) -> list[Any]:
        """A list."""
        if path in self.away:
            raise ClusterError(f"{path} is forbidden.", remedy="Ask.")
        if path in self.stuck:
            self.is_over.wait()
        return LISTS[path]

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """The lines of one run of a container."""
        return f"{namespace} {pod} {container} {'before' if previous else 'now'}: token=abcdefgh\n"


def files(folder: Path) -> dict[str, str]:
    """Everything that was written, by name."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_evidence_is_a_table_a_kind_and_the_logs_of_what_is_troubled(tmp_path: Path) -> None:
    """With the run before the last one, which says why a container ended."""
    found = files(evidence.collect(EvidenceSources(), "staging", tmp_path / "evidence"))
    name = CRASHED["metadata"]["name"]
    assert set(found) == {
        "README.md", "deployments.txt", "events.txt", "jobs.txt", "limits.txt", "nodes.txt", "pods.txt",
        "quotas.txt", f"logs/{name}.web.log", f"logs/{name}.web.previous.log",
    }  # fmt: skip
    assert "waiting (CrashLoopBackOff)" in found["pods.txt"]
    assert "Error 7" in found["pods.txt"]
    assert "MinimumReplicasUnavailable" in found["deployments.txt"]
    assert found["quotas.txt"].splitlines()[1:] == [
        "room   requests.cpu  3900m  4",
        "room   pods          ?      9",
    ]
    assert "sizes        Container  max      cpu       2" in found["limits.txt"]
    assert "pool-1  MemoryPressure  1900m" in found["nodes.txt"]
    assert " before: " in found[f"logs/{name}.web.previous.log"]


def test_logs_of_all_pods_are_kept_when_all_are_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who asks then has another reason, such as a failed check of the application."""
    well = [pod(container(running=True, ready=True), name=name, ready=True) for name in ("one", "two")]
    monkeypatch.setitem(LISTS, f"{ROOM}/pods", well)
    found = files(evidence.collect(EvidenceSources(), "staging", tmp_path))
    logs = {name for name in found if name.startswith("logs/") and "previous" not in name}
    assert logs == {"logs/one.web.log", "logs/two.web.log"}


def test_secrets_in_logs_and_events_are_masked(tmp_path: Path) -> None:
    """Evidence is sent around."""
    found = files(evidence.collect(EvidenceSources(), "staging", tmp_path))
    assert "hunter2" not in found["events.txt"]
    assert [name for name, text in found.items() if "abcdefgh" in text] == []


def test_what_is_not_to_be_had_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    """Nobody should look for a table that was forbidden."""
    found = files(evidence.collect(EvidenceSources(away=("api/v1/nodes",)), "staging", tmp_path))
    assert "nodes.txt" not in found
    assert "- nodes: api/v1/nodes is forbidden." in found["README.md"]
    assert "pods.txt" in found


def test_evidence_never_holds_up_the_way_back(tmp_path: Path) -> None:
    """What does not come in time is left out, here an answer that only comes when all is over."""
    sources = EvidenceSources(stuck=(f"{ROOM}/events",))
    try:
        found = files(evidence.collect(sources, "staging", tmp_path, budget_seconds=1))
    finally:
        sources.is_over.set()
    assert "- events: not answered in time" in found["README.md"]
    assert "pods.txt" in found


@pytest.mark.parametrize("text", [None, ""])
def test_container_that_said_nothing_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """An empty file would look like evidence."""
    monkeypatch.setattr(EvidenceSources, "log", lambda *_, **__: text)
    found = files(evidence.collect(EvidenceSources(), "staging", tmp_path))
    assert [name for name in found if name.startswith("logs/")] == []
