"""Answers `inv diagnose` and `inv logs`: what keeps an environment from being ready, and its pods' logs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from todo_release.adapters.kubernetes.manifest import namespaces_of, workloads_of
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Workload
from todo_release.core import release_folder
from todo_release.core.masking import mask_log
from todo_release.core.tables import Table
from todo_release.environments.diagnosis.evidence import CollectEvidence, find_failure
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.errors import ClusterError, ReleaseError


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The workloads, the evidence folder, and the error with the main cause, if there is one."""

    workloads: Table
    evidence: Path
    error: ReleaseError | None


def diagnose(context: ReleaseContext, environment: str, collect_evidence: CollectEvidence) -> Diagnosis:
    """Checks everything that Helm last deployed to an environment, and saves the evidence.

    Raises:
        HelmError: Nothing was ever deployed there.
        ClusterError: The environment cannot be reached.
    """
    access = context.connect(environment)
    manifest = access.helm.manifest(access.settings.release)
    snapshot = _snapshot(access, manifest)
    folder = release_folder.evidence_folder(context.repository.root, environment)
    evidence = collect_evidence(access.cluster, namespaces_of(manifest, access.settings.namespace), folder)
    failure = find_failure(snapshot)
    rows = tuple(
        (
            str(workload.ref),
            f"{min(workload.available, workload.desired)}/{workload.desired}",
            _pod_states(snapshot, workload),
        )
        for workload in snapshot.workloads.values()
    )
    return Diagnosis(
        workloads=Table(f"Workloads of {environment}", ("workload", "ready", "pods"), rows),
        evidence=evidence,
        error=failure.to_error(evidence) if failure else None,
    )


def read_logs(
    context: ReleaseContext, environment: str, service: str | None, *, lines: int = 100
) -> Iterator[str]:
    """Yields the last log lines of a service's containers, each with the names of pod and container.

    What looks like a secret is masked.

    Args:
        context: Gives access to the environment.
        environment: The environment's name.
        service: Any part of a workload's name; None for all workloads.
        lines: How many lines of each container.

    Raises:
        ClusterError: No workload has that name, or the environment cannot be reached.
    """
    access = context.connect(environment)
    snapshot = _snapshot(access, access.helm.manifest(access.settings.release))
    wanted = [
        workload for ref, workload in snapshot.workloads.items() if service is None or service in ref.name
    ]
    if not wanted:
        known = ", ".join(ref.name for ref in snapshot.workloads)
        raise ClusterError(
            f"No workload of {environment} is called {service}.", remedy=f"There are: {known}."
        )
    for workload in wanted:
        for pod in snapshot.pods_of(workload):
            namespace = pod.namespace or access.settings.namespace
            for container in pod.containers:
                log = access.cluster.log(namespace, pod.name, container.name, lines=lines)
                yield from (f"{pod.name} {container.name} | {line}" for line in mask_log(log).splitlines())


def _snapshot(access: EnvironmentAccess, manifest: str) -> NamespaceSnapshot:
    workloads = workloads_of(manifest, access.settings.namespace)
    return access.cluster.snapshot(access.settings.namespace, workloads)


def _pod_states(snapshot: NamespaceSnapshot, workload: Workload) -> str:
    states = [
        f"{pod.name}: {container.name} {container.state.reason or container.state.phase}"
        for pod in snapshot.pods_of(workload)
        for container in pod.containers
        if not container.is_ready and not container.is_init
    ]
    return "; ".join(states)
