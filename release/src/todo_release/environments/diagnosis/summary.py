"""What a person asks of an environment in trouble: what keeps it from being ready, and what its pods say."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.adapters.kubernetes.objects import Snapshot, Workload
from todo_release.core import release_folder
from todo_release.core.masking import mask_log
from todo_release.core.tables import Table
from todo_release.environments.diagnosis.evidence import CollectEvidence, explain
from todo_release.environments.environment import Access, ReleaseContext
from todo_release.errors import ClusterError, ReleaseError


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The workloads with what each waits for, the evidence, and the error that names the one cause, if
    any.
    """

    workloads: Table
    evidence: Path
    error: ReleaseError | None


def diagnose(context: ReleaseContext, environment: str, collect_evidence: CollectEvidence) -> Diagnosis:
    """Look at everything that Helm last deployed to an environment, and keep the evidence.

    Raises:
        HelmError: nothing was ever deployed there.
        ClusterError: the environment cannot be reached.
    """
    access = context.reach(environment)
    snapshot = _snapshot(access)
    folder = release_folder.evidence_folder(context.repository.root, environment)
    evidence = collect_evidence(access.cluster, access.settings.namespace, folder)
    failure = explain(snapshot)
    rows = tuple(
        (
            str(workload.ref),
            f"{min(workload.available, workload.desired)}/{workload.desired}",
            _pods(snapshot, workload),
        )
        for workload in snapshot.workloads.values()
    )
    return Diagnosis(
        workloads=Table(f"Workloads of {environment}", ("workload", "ready", "pods"), rows),
        evidence=evidence,
        error=failure.error(evidence) if failure else None,
    )


def logs(
    context: ReleaseContext, environment: str, service: str | None, *, lines: int = 100
) -> Iterator[str]:
    """The last lines of every container of a service's pods (of all services when None), each with its pod's
    name.

    A service is any part of a workload's name. What looks like a secret is masked.

    Raises:
        ClusterError: no workload has that name, or the environment cannot be reached.
    """
    access = context.reach(environment)
    snapshot = _snapshot(access)
    wanted = [one for ref, one in snapshot.workloads.items() if service is None or service in ref.name]
    if not wanted:
        known = ", ".join(ref.name for ref in snapshot.workloads)
        raise ClusterError(
            f"No workload of {environment} is called {service}.", remedy=f"There are: {known}."
        )
    for workload in wanted:
        for pod in snapshot.pods_of(workload):
            for container in pod.containers:
                log = access.cluster.log(access.settings.namespace, pod.name, container.name, lines=lines)
                yield from (f"{pod.name} {container.name} | {line}" for line in mask_log(log).splitlines())


def _snapshot(access: Access) -> Snapshot:
    workloads = workloads_of(access.helm.manifest(access.settings.release))
    return access.cluster.snapshot(access.settings.namespace, workloads)


def _pods(snapshot: Snapshot, workload: Workload) -> str:
    states = [
        f"{pod.name}: {container.name} {container.state.reason or container.state.phase}"
        for pod in snapshot.pods_of(workload)
        for container in pod.containers
        if not container.is_ready and not container.is_init
    ]
    return "; ".join(states)
