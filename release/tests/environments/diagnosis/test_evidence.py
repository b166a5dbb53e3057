"""Tests the evidence of a failed rollout: what is saved, what is masked, and that it never takes long."""

import threading
from pathlib import Path
from typing import Any

import pytest

from todo_release.environments.diagnosis import evidence
from todo_release.errors import ClusterError

from ...doubles.kubernetes_objects import container, deployment, event, pod

NAMESPACE_PATH = "api/v1/namespaces/staging"
CRASHED = pod(container(waiting="CrashLoopBackOff", restarts=3, last={"exitCode": 7, "reason": "Error"}))
LISTS: dict[str, list[dict[str, Any]]] = {
    f"{NAMESPACE_PATH}/pods": [CRASHED],
    f"{NAMESPACE_PATH}/events": [
        event("uid-web-2-a", "BackOff", "Back-off restarting, PASSWORD=hunter2hunter2 was wrong")
    ],
    "apis/apps/v1/namespaces/staging/deployments": [
        deployment(
            conditions=[{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}]
        )
    ],
    "apis/batch/v1/namespaces/staging/jobs": [],
    f"{NAMESPACE_PATH}/resourcequotas": [
        {
            "metadata": {"name": "compute"},
            "status": {"hard": {"requests.cpu": "4", "pods": "9"}, "used": {"requests.cpu": "3900m"}},
        }
    ],
    f"{NAMESPACE_PATH}/limitranges": [
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


class EvidenceSourceDouble:
    """Returns prepared lists; `failing` are paths that fail, `stuck` those that wait for `is_over`."""

    def __init__(self, *, failing: tuple[str, ...] = (), stuck: tuple[str, ...] = ()) -> None:
        """Stores which paths fail and which wait."""
        self.failing, self.stuck = failing, stuck
        self.is_over = threading.Event()

    def items(self, path: str) -> list[Any]:
        """Returns a prepared list."""
        if path in self.failing:
            raise ClusterError(f"{path} is forbidden.", remedy="Ask.")
        if path in self.stuck:
            self.is_over.wait()
        return LISTS[path]

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 200
    ) -> str:
        """Returns the log of one run of a container."""
        return f"{namespace} {pod} {container} {'before' if previous else 'now'}: token=abcdefgh\n"


def files(folder: Path) -> dict[str, str]:
    """Returns the text of every file that was written, by name."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_evidence_has_a_table_per_kind_and_the_logs_of_unhealthy_pods(tmp_path: Path) -> None:
    """Logs include the previous run, which says why a container ended."""
    written = files(evidence.collect_evidence(EvidenceSourceDouble(), ["staging"], tmp_path / "evidence"))
    name = CRASHED["metadata"]["name"]
    assert set(written) == {
        "README.md", "deployments.txt", "events.txt", "jobs.txt", "limits.txt", "nodes.txt", "pods.txt",
        "quotas.txt", f"logs/{name}.web.log", f"logs/{name}.web.previous.log",
    }  # fmt: skip
    assert "waiting (CrashLoopBackOff)" in written["pods.txt"]
    assert "Error 7" in written["pods.txt"]
    assert "MinimumReplicasUnavailable" in written["deployments.txt"]
    assert written["quotas.txt"].splitlines()[1:] == [
        "compute  requests.cpu  3900m  4",
        "compute  pods          ?      9",
    ]
    assert "sizes        Container  max      cpu       2" in written["limits.txt"]
    assert "pool-1  MemoryPressure  1900m" in written["nodes.txt"]
    assert " before: " in written[f"logs/{name}.web.previous.log"]


def test_evidence_has_the_logs_of_all_pods_when_all_are_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no pod is unhealthy, the reason may be in any log, for example after a failed smoke check."""
    healthy = [pod(container(running=True, ready=True), name=name, ready=True) for name in ("one", "two")]
    monkeypatch.setitem(LISTS, f"{NAMESPACE_PATH}/pods", healthy)
    written = files(evidence.collect_evidence(EvidenceSourceDouble(), ["staging"], tmp_path))
    logs = {name for name in written if name.startswith("logs/") and "previous" not in name}
    assert logs == {"logs/one.web.log", "logs/two.web.log"}


def test_evidence_masks_secrets_in_logs_and_events(tmp_path: Path) -> None:
    """Evidence is shared between people, so it contains no secret."""
    written = files(evidence.collect_evidence(EvidenceSourceDouble(), ["staging"], tmp_path))
    assert "hunter2" not in written["events.txt"]
    assert [name for name, text in written.items() if "abcdefgh" in text] == []


def test_evidence_of_another_namespace_lies_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chart may have workloads in other namespaces; nodes belong to none and are read once."""
    others = {path.replace("/staging", "/agents"): items for path, items in LISTS.items()}
    for path, items in others.items():
        monkeypatch.setitem(LISTS, path, items)
    sources = EvidenceSourceDouble(failing=("api/v1/namespaces/agents/events",))
    written = files(evidence.collect_evidence(sources, ["staging", "agents"], tmp_path))
    name = CRASHED["metadata"]["name"]
    assert {path for path in written if path.startswith("agents/")} == {
        "agents/deployments.txt", "agents/jobs.txt", "agents/limits.txt", "agents/pods.txt",
        "agents/quotas.txt", f"agents/logs/{name}.web.log", f"agents/logs/{name}.web.previous.log",
    }  # fmt: skip
    assert written[f"agents/logs/{name}.web.log"].startswith("agents ")
    assert "# Evidence of namespace staging and agents, " in written["README.md"]
    assert "- agents/events: api/v1/namespaces/agents/events is forbidden." in written["README.md"]


def test_evidence_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    """A full disk or somebody else's file prevents no rollback."""
    folder = tmp_path / "evidence"
    folder.write_text("a file\n")
    assert evidence.collect_evidence(EvidenceSourceDouble(), ["staging"], folder) == folder
    assert folder.read_text() == "a file\n"


def test_evidence_names_what_is_missing_and_keeps_the_rest(tmp_path: Path) -> None:
    """A list that the server refuses is named in the index, and the other tables are written."""
    written = files(
        evidence.collect_evidence(EvidenceSourceDouble(failing=("api/v1/nodes",)), ["staging"], tmp_path)
    )
    assert "nodes.txt" not in written
    assert "- nodes: api/v1/nodes is forbidden." in written["README.md"]
    assert "pods.txt" in written


def test_evidence_never_delays_the_rollback(tmp_path: Path) -> None:
    """A list that does not arrive in time is left out and named."""
    sources = EvidenceSourceDouble(stuck=(f"{NAMESPACE_PATH}/events",))
    try:
        written = files(evidence.collect_evidence(sources, ["staging"], tmp_path, budget_seconds=1))
    finally:
        sources.is_over.set()
    assert "- events: no answer in time" in written["README.md"]
    assert "pods.txt" in written


@pytest.mark.parametrize("text", [None, ""])
def test_container_with_an_empty_log_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """An empty log is not written, because an empty file would look like evidence."""
    monkeypatch.setattr(EvidenceSourceDouble, "log", lambda *_, **__: text)
    written = files(evidence.collect_evidence(EvidenceSourceDouble(), ["staging"], tmp_path))
    assert [name for name in written if name.startswith("logs/")] == []
