"""The faults that a rehearsal can inject: each lasts for a block and is taken back at its end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from todo_embedded.controlplane import pod_references
from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.nodes import bound_pod
from todo_embedded.controlplane.object_paths import KubeObject, location
from todo_embedded.controlplane.pod_faults import PodFault
from todo_embedded.controlplane.pod_references import Reference
from todo_release.adapters.helm import storage
from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS, NODES, PODS, SECRETS
from todo_release.adapters.kubernetes.quantities import millicores
from todo_release.config.model import TargetEnvironment
from todo_release.environments import lock
from todo_release.errors import ConfigError, RehearsalError
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.secret_summary import HELM_RELEASE
from todo_release.rehearsal.cluster_fixture import ClusterFixture
from todo_release.rehearsal.node_autoscaler import NodeAutoscaler
from todo_release.rehearsal.pod_faults import SIDECAR, NewPods, NewPodsCrash, NewPodsNeverReady, PullFault
from todo_release.rehearsal.stub_images import StubImageEngine

KILL_PREFIX = "kill@"
FREE_MILLICORES = 20  # what `full-nodes` leaves of each node
OTHER_HOLDER = "somebody@elsewhere/rehearsal"
DEAD_HOLDER_LEASE_SECONDS = 5  # its own word counts; the lease of an engine lasts longer


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTarget:
    """Where faults are injected: the first environment that a release deploys to, in its cluster."""

    api: ApiClient
    fixture: ClusterFixture
    settings: TargetEnvironment
    engine: StubImageEngine
    pull_fault: PullFault
    autoscaler: NodeAutoscaler | None
    set_pod_faults: Callable[..., None]

    def deployments(self) -> list[Any]:
        """Returns the environment's Deployments."""
        return self.api.items(DEPLOYMENTS.path(self.settings.namespace))


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and how a release ends that runs into it.

    `cause` is the id of the cause (`rollout.causes`, or `refused` by the API server) that the engine must
    report when the check that finds the fault is skipped; None where the engine must recover by itself.
    """

    name: str
    description: str
    inject: Callable[[FaultTarget], AbstractContextManager[None]]
    cause: str | None = None


def select_faults(names: Sequence[str], steps: Sequence[str]) -> tuple[Fault, ...]:
    """Returns the faults with these names; `all` is every one, `kill@STEP` a run that dies after a step.

    Raises:
        ConfigError: there is no such fault, or no such step.
    """
    by_name = {fault.name: fault for fault in FAULTS}
    kills = {f"{KILL_PREFIX}{step}": kill_after(step) for step in steps}
    selected: dict[str, Fault] = {}
    for name in names:
        if name == "all":
            selected |= by_name | kills
        elif fault := by_name.get(name) or kills.get(name):
            selected[name] = fault
        else:
            raise ConfigError(
                f"There is no fault {name!r}.", remedy=f"Choose of: all, {', '.join([*by_name, *kills])}."
            )
    return tuple(selected.values())


def kill_after(step: str) -> Fault:
    """Returns the fault of a run that is killed after a step, before the journal has its end."""
    return Fault(f"{KILL_PREFIX}{step}", f"the run is killed at the end of {step}", _no_change)


@contextmanager
def _no_change(target: FaultTarget) -> Iterator[None]:
    yield


@contextmanager
def _missing_secret(target: FaultTarget) -> Iterator[None]:
    manifest, _ = _secret_in_use(target)
    target.api.delete(location(manifest))
    yield
    target.api.create(manifest)


@contextmanager
def _missing_key(target: FaultTarget) -> Iterator[None]:
    manifest, reference = _secret_in_use(target, by_key=True)
    value = manifest["stringData"][reference.key]
    target.api.merge(location(manifest), {"data": {reference.key: None}})
    yield
    target.api.merge(location(manifest), {"stringData": {reference.key: value}})


@contextmanager
def _full_nodes(target: FaultTarget) -> Iterator[None]:
    running = [pod for pod in target.api.items(PODS.path()) if pod_requirements.occupies_node(pod)]
    fillers = []
    for node in target.api.items(NODES.path()):
        name = node["metadata"]["name"]
        requested = sum(
            pod_requirements.of_live_pod(pod).request.cpu
            for pod in running
            if pod["spec"]["nodeName"] == name
        )
        free = max(0, millicores(node["status"]["allocatable"]["cpu"]) - requested - FREE_MILLICORES)
        filler = bound_pod(f"filler-{name}", {"cpu": f"{free}m"}, node=name, namespace="default")
        fillers.append(target.api.create(filler))
    if target.autoscaler:
        target.autoscaler.is_exhausted = True
    yield
    if target.autoscaler:
        target.autoscaler.is_exhausted = False
    for filler in fillers:
        target.api.delete(location(filler))


@contextmanager
def _exceeded_quota(target: FaultTarget) -> Iterator[None]:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "rehearsed-fault", "namespace": target.settings.namespace},
        "spec": {"hard": {"requests.cpu": "1m"}},
    }
    target.api.create(quota)
    yield
    target.api.delete(location(quota))


@contextmanager
def _refused_pods(target: FaultTarget) -> Iterator[None]:
    limit_range = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "rehearsed-fault", "namespace": target.settings.namespace},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "1m"}}]},
    }
    target.api.create(limit_range)
    yield
    target.api.delete(location(limit_range))


def _refused_pull(refusal: str) -> Callable[[FaultTarget], AbstractContextManager[None]]:
    @contextmanager
    def inject(target: FaultTarget) -> Iterator[None]:
        target.pull_fault.known = frozenset(target.engine.pushed)
        target.pull_fault.refusal = refusal
        yield
        target.pull_fault.refusal = None

    return inject


def _pod_fault(
    make: Callable[[frozenset[str]], PodFault],
) -> Callable[[FaultTarget], AbstractContextManager[None]]:
    """Returns the injection of a fault that `make` builds from the digests that were pushed before."""

    @contextmanager
    def inject(target: FaultTarget) -> Iterator[None]:
        target.set_pod_faults(make(frozenset(target.engine.pushed)))
        yield
        target.set_pod_faults()

    return inject


@contextmanager
def _pending_helm_record(target: FaultTarget) -> Iterator[None]:
    """Sets the record of Helm's last revision to what a killed Helm leaves."""
    records = [
        secret
        for secret in target.api.items(SECRETS.path(target.settings.namespace))
        if secret["type"] == HELM_RELEASE and secret["metadata"]["labels"]["name"] == target.settings.release
    ]
    last = max(records, key=lambda record: int(record["metadata"]["labels"]["version"]))
    body = storage.decode_record(last)
    body["info"]["status"] = "pending-upgrade"
    change = {
        "metadata": {"labels": {"status": "pending-upgrade"}},
        "data": {"release": storage.encode_record(body)},
    }
    target.api.merge(location(_identified(last, "v1", "Secret")), change)
    yield


@contextmanager
def _hand_edit(target: FaultTarget) -> Iterator[None]:
    """Sets another image in a Deployment, as a person does with kubectl."""
    deployment = _identified(target.deployments()[0], "apps/v1", "Deployment")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    containers[0] = containers[0] | {"image": "rehearsal/hand-edited:latest"}
    target.api.merge(location(deployment), {"spec": {"template": {"spec": {"containers": containers}}}})
    yield


@contextmanager
def _dead_lock_holder(target: FaultTarget) -> Iterator[None]:
    """Locks the environment for a holder that never renews its lease."""
    now = lock.lease_timestamp()
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lock.LEASE_NAME, "namespace": target.settings.namespace},
        "spec": {
            "holderIdentity": OTHER_HOLDER,
            "leaseDurationSeconds": DEAD_HOLDER_LEASE_SECONDS,
            "acquireTime": now,
            "renewTime": now,
        },
    }
    target.api.delete(location(lease))
    target.api.create(lease)
    yield


@contextmanager
def _other_selector(target: FaultTarget) -> Iterator[None]:
    """Replaces a Deployment by one with another selector than the chart's; selectors are immutable."""
    live = target.deployments()[0]
    meta, spec = live["metadata"], live["spec"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations")}

    def manifest(extra: Mapping[str, str]) -> dict[str, Any]:
        selector = {"matchLabels": {**spec["selector"]["matchLabels"], **extra}}
        labels = {**spec["template"]["metadata"]["labels"], **extra}
        template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
        changed = {**spec, "selector": selector, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept, "spec": changed}

    other = manifest({next(iter(spec["selector"]["matchLabels"])): "rehearsal"})
    target.api.delete(location(other))
    target.api.create(other)
    yield
    target.api.delete(location(other))
    target.api.create(manifest({}))


def _secret_in_use(target: FaultTarget, *, by_key: bool = False) -> tuple[KubeObject, Reference]:
    """Returns a Secret of the fixture that a Deployment reads, and the reference to it.

    With `by_key` the reference names a key.

    Raises:
        RehearsalError: there is none.
    """
    secrets = {
        manifest["metadata"]["name"]: manifest
        for manifest in target.fixture.objects
        if manifest["kind"] == "Secret" and manifest["metadata"]["namespace"] == target.settings.namespace
    }
    for deployment in target.deployments():
        for reference in _references(deployment):
            is_wanted = reference.kind == "Secret" and (reference.key or not by_key)
            if is_wanted and reference.name in secrets:
                return secrets[reference.name], reference
    raise RehearsalError(
        f"No Deployment of {target.settings.namespace} reads {'a key of ' if by_key else ''}a Secret that "
        "the rehearsal has created, so none can be removed.",
        remedy="Name the Secret under rehearsal.secrets in release.yaml, or choose other faults.",
    )


def _references(deployment: Mapping[str, Any]) -> Iterator[Reference]:
    namespace, spec = deployment["metadata"]["namespace"], deployment["spec"]["template"]["spec"]
    return pod_references.of_pod_spec(spec, namespace)


def _identified(item: Mapping[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """Returns an item of a list with its version and kind, which lists leave out."""
    return {"apiVersion": api_version, "kind": kind, **item}


FAULTS = (
    Fault("missing-secret", "a Secret is missing", _missing_secret, "config-missing"),
    Fault("missing-key", "a key of a Secret is missing", _missing_key, "config-missing"),
    Fault("full-nodes", "other pods fill every node, and no node can be added", _full_nodes, "unschedulable"),
    Fault("quota", "the namespace's quota is used up", _exceeded_quota, "quota-exceeded"),
    Fault("pod-refused", "a LimitRange forbids the pods' sizes", _refused_pods, "pod-refused"),
    Fault("image-missing", "the registry has lost an image", _refused_pull("not found"), "image-missing"),
    Fault(
        "image-denied",
        "the nodes may not pull",
        _refused_pull("pull access denied: 401 Unauthorized"),
        "image-denied",
    ),
    Fault(
        "crash",
        "the new version exits when it starts",
        _pod_fault(lambda known: NewPodsCrash(pods=NewPods(known=known))),
        "crash-loop",
    ),
    Fault(
        "out-of-memory",
        "the new version exceeds its memory limit",
        _pod_fault(lambda known: NewPodsCrash(pods=NewPods(known=known), reason="OOMKilled", exit_code=137)),
        "out-of-memory",
    ),
    Fault(
        "sidecar",
        "the sidecar of the new version exits",
        _pod_fault(
            lambda known: NewPodsCrash(pods=NewPods(known=known, has_sidecar=True), container=SIDECAR)
        ),
        "sidecar-failing",
    ),
    Fault(
        "never-ready",
        "the new version runs and is never ready",
        _pod_fault(lambda known: NewPodsNeverReady(pods=NewPods(known=known))),
        "probe-failing",
    ),
    Fault(
        "failing-hook",
        "a migration fails",
        _pod_fault(lambda known: NewPodsCrash(pods=NewPods(known=known, is_job=True))),
        "job-failed",
    ),
    Fault("stuck-pending", "an earlier Helm was killed during an upgrade", _pending_helm_record),
    Fault("hand-edit", "somebody changed an image with kubectl", _hand_edit),
    Fault("dead-holder", "an earlier run was killed while it held the lock", _dead_lock_holder),
    Fault("other-selector", "a Deployment's selector would have to change", _other_selector, "refused"),
)
