"""The table of nodes: allocatable resources, what pods request now, and at the peak of the release."""

from todo_release.core.tables import Table
from todo_release.preflight.scheduling.planned_rollout import planned_rollout
from todo_release.preflight.scheduling.rolling_update import simulate_scheduler
from todo_release.preflight.snapshot import PreflightSnapshot

COLUMNS = ("node", "cpu", "cpu used", "cpu at the peak", "memory", "memory used", "memory at the peak")


def node_table(snapshot: PreflightSnapshot) -> Table:
    """Returns the requests on each node, now and at the peak of the release.

    Raises:
        UnreadError: nodes, pods, quotas, limits or priorities could not be read.
    """
    rollout = planned_rollout(snapshot)
    peak = simulate_scheduler(rollout.capacity, rollout.changes).peak
    rows = []
    for name, node in rollout.capacity.nodes.items():
        now, at_peak, whole = rollout.capacity.used(name), peak.used(name), node.allocatable
        rows.append(
            (
                name + (" (cordoned)" if node.is_cordoned else ""),
                cpu_text(whole.cpu),
                cpu_text(now.cpu),
                f"{cpu_text(at_peak.cpu)} {_share(at_peak.cpu, whole.cpu)}",
                memory_text(whole.memory),
                memory_text(now.memory),
                f"{memory_text(at_peak.memory)} {_share(at_peak.memory, whole.memory)}",
            )
        )
    title = f"Requests on the nodes, rolling {snapshot.version} in {snapshot.environment}"
    return Table(title, COLUMNS, tuple(rows))


def cpu_text(millicores: int) -> str:
    """Returns `250m`."""
    return f"{millicores}m"


def memory_text(size_bytes: int) -> str:
    """Returns `64Mi`."""
    return f"{size_bytes // 2**20}Mi"


def _share(part: int, whole: int) -> str:
    return f"({part * 100 // whole} %)" if whole else ""
