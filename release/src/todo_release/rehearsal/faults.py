"""What can go wrong in a rehearsal, on demand: a fault is arranged, lasts for a block, and is taken back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from todo_embedded.controlplane import pod_references
from todo_embedded.controlplane.api_client import Api, Manifest, location
from todo_embedded.controlplane.nodes import occupant
from todo_embedded.controlplane.pod_references import Reference
from todo_release.adapters.helm import storage
from todo_release.adapters.kubernetes.quantities import millicores
from todo_release.config.model import Environment
from todo_release.environments import lock
from todo_release.errors import ConfigError, RehearsalError
from todo_release.preflight.scheduling import pod_requirements
from todo_release.preflight.secret_summary import HELM_RELEASE
from todo_release.rehearsal.pod_faults import SIDECAR, Newcomers, NewCrash, NewUnready, Pulls
from todo_release.rehearsal.stub_images import StandInEngine

if TYPE_CHECKING:
    from todo_release.rehearsal.cluster_fixture import Site

KILL = "kill@"
LEFT_MILLICORES = 20
STRANGER = "somebody@elsewhere/rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a fault is arranged: the first environment that a release reaches, in its cluster."""

    api: Api
    site: "Site"
    settings: Environment
    engine: StandInEngine
    pulls: Pulls
    befall: Callable[..., None]

    @property
    def root(self) -> str:
        """Path of the environment's namespace."""
        return f"api/v1/namespaces/{self.settings.namespace}"

    def deployments(self) -> list[Any]:
        """The Deployments of the environment."""
        return self.api.items(f"apis/apps/v1/namespaces/{self.settings.namespace}/deployments")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by its name, and the id of the cause (`rollout.causes`, or `refused`) that an engine ends
    with when it goes on regardless; None where it gets over the fault.
    """

    name: str
    told: str
    arrange: Callable[[Scene], AbstractContextManager[None]]
    cause: str | None = None


def named(names: Sequence[str], steps: Sequence[str]) -> tuple[Fault, ...]:
    """The faults that names ask for; `all` is every one, `kill@STEP` a run that dies at the end of a step.

    Raises:
        ConfigError: there is no such fault, or no such step.
    """
    known = {one.name: one for one in FAULTS}
    kills = {f"{KILL}{step}": killed(step) for step in steps}
    found: dict[str, Fault] = {}
    for name in names:
        if name == "all":
            found |= known | kills
        elif one := known.get(name) or kills.get(name):
            found[name] = one
        else:
            raise ConfigError(
                f"There is no fault {name!r}.", remedy=f"Choose of: all, {', '.join([*known, *kills])}."
            )
    return tuple(found.values())


def killed(step: str) -> Fault:
    """A run that is killed when a step is done but nobody has written it down."""
    return Fault(f"{KILL}{step}", f"the run dies at the end of {step}", _nothing)


@contextmanager
def _nothing(scene: Scene) -> Iterator[None]:
    yield


@contextmanager
def _missing_secret(scene: Scene) -> Iterator[None]:
    one, _ = _read_secret(scene)
    scene.api.delete(location(one))
    yield
    scene.api.create(one)


@contextmanager
def _missing_key(scene: Scene) -> Iterator[None]:
    one, reference = _read_secret(scene, by_key=True)
    scene.api.merge(location(one), {"data": {reference.key: None}})
    yield
    scene.api.merge(location(one), {"stringData": {reference.key: one["stringData"][reference.key]}})


@contextmanager
def _full_nodes(scene: Scene) -> Iterator[None]:
    running = [pod for pod in scene.api.items("api/v1/pods") if pod_requirements.runs(pod)]
    pods = []
    for node in scene.api.items("api/v1/nodes"):
        name = node["metadata"]["name"]
        taken = sum(
            pod_requirements.live(pod).request.cpu for pod in running if pod["spec"]["nodeName"] == name
        )
        free = max(0, millicores(node["status"]["allocatable"]["cpu"]) - taken - LEFT_MILLICORES)
        pod = occupant(f"filler-{name}", {"cpu": f"{free}m"}, node=name, namespace="default")
        pods.append(scene.api.create(pod))
    yield
    for pod in pods:
        scene.api.delete(location(pod))


@contextmanager
def _tight_quota(scene: Scene) -> Iterator[None]:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "rehearsed-fault", "namespace": scene.settings.namespace},
        "spec": {"hard": {"requests.cpu": "1m"}},
    }
    scene.api.create(quota)
    yield
    scene.api.delete(location(quota))


@contextmanager
def _refused_pods(scene: Scene) -> Iterator[None]:
    bounds = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "rehearsed-fault", "namespace": scene.settings.namespace},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "1m"}}]},
    }
    scene.api.create(bounds)
    yield
    scene.api.delete(location(bounds))


def _unpullable(text: str) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def arrange(scene: Scene) -> Iterator[None]:
        scene.pulls.known, scene.pulls.refusal = frozenset(scene.engine.pushed), text
        yield
        scene.pulls.refusal = None

    return arrange


def _troubled(make: Callable[[frozenset[str]], Any]) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def arrange(scene: Scene) -> Iterator[None]:
        scene.befall(make(frozenset(scene.engine.pushed)))
        yield
        scene.befall()

    return arrange


@contextmanager
def _stuck_pending(scene: Scene) -> Iterator[None]:
    """What a Helm that was killed leaves behind."""
    records = [
        one
        for one in scene.api.items(f"{scene.root}/secrets")
        if one["type"] == HELM_RELEASE and one["metadata"]["labels"]["name"] == scene.settings.release
    ]
    last = max(records, key=lambda one: int(one["metadata"]["labels"]["version"]))
    body = storage.decode(last)
    body["info"]["status"] = "pending-upgrade"
    change = {
        "metadata": {"labels": {"status": "pending-upgrade"}},
        "data": {"release": storage.encode(body)},
    }
    scene.api.merge(location(_identified(last, "v1", "Secret")), change)
    yield


@contextmanager
def _hand_edit(scene: Scene) -> Iterator[None]:
    """Somebody in a hurry: another image, set past Helm."""
    one = _identified(scene.deployments()[0], "apps/v1", "Deployment")
    containers = one["spec"]["template"]["spec"]["containers"]
    containers[0] = containers[0] | {"image": "rehearsal/hand-edited:latest"}
    scene.api.merge(location(one), {"spec": {"template": {"spec": {"containers": containers}}}})
    yield


@contextmanager
def _dead_holder(scene: Scene) -> Iterator[None]:
    """A lock whose holder never shows a heartbeat again."""
    now = lock.instant()
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lock.NAME, "namespace": scene.settings.namespace},
        "spec": {
            "holderIdentity": STRANGER,
            "leaseDurationSeconds": lock.LEASE_SECONDS,
            "acquireTime": now,
            "renewTime": now,
        },
    }
    scene.api.delete(location(lease))
    scene.api.create(lease)
    yield


@contextmanager
def _other_selector(scene: Scene) -> Iterator[None]:
    """A Deployment that selects by another value than the chart's; selectors cannot be changed."""
    live = scene.deployments()[0]
    meta, spec = live["metadata"], live["spec"]
    kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations")}

    def made(extra: Mapping[str, str]) -> dict[str, Any]:
        selector = {"matchLabels": {**spec["selector"]["matchLabels"], **extra}}
        labels = {**spec["template"]["metadata"]["labels"], **extra}
        template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
        changed = {**spec, "selector": selector, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept, "spec": changed}

    other = made({next(iter(spec["selector"]["matchLabels"])): "rehearsal"})
    scene.api.delete(location(other))
    scene.api.create(other)
    yield
    scene.api.delete(location(other))
    scene.api.create(made({}))


def _read_secret(scene: Scene, *, by_key: bool = False) -> tuple[Manifest, Reference]:
    """A Secret of the site that a Deployment reads, and how; with `by_key` one whose key is named.

    Raises:
        RehearsalError: there is none.
    """
    known = {
        one["metadata"]["name"]: one
        for one in scene.site.objects
        if one["kind"] == "Secret" and one["metadata"]["namespace"] == scene.settings.namespace
    }
    for deployment in scene.deployments():
        for reference in _references(deployment):
            is_wanted = reference.kind == "Secret" and (reference.key or not by_key)
            if is_wanted and reference.name in known:
                return known[reference.name], reference
    raise RehearsalError(
        f"No Deployment of {scene.settings.namespace} reads {'a key of ' if by_key else ''}a Secret that the "
        "rehearsal has made, so none can be taken away.",
        remedy="Name the Secret under rehearsal.secrets in release.yaml, or try other faults.",
    )


def _references(deployment: Mapping[str, Any]) -> Iterator[Reference]:
    namespace, spec = deployment["metadata"]["namespace"], deployment["spec"]["template"]["spec"]
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        yield from pod_references.of_container(container, namespace)
    yield from pod_references.of_volumes({"metadata": {"namespace": namespace}, "spec": spec})


def _identified(found: Mapping[str, Any], api_version: str, kind: str) -> dict[str, Any]:
    """An item of a list, which does not say what it is."""
    return {"apiVersion": api_version, "kind": kind, **found}


FAULTS = (
    Fault("missing-secret", "a Secret is gone", _missing_secret, "config-missing"),
    Fault("missing-key", "a key of a Secret is gone", _missing_key, "config-missing"),
    Fault("full-nodes", "other pods fill every node", _full_nodes, "unschedulable"),
    Fault("quota", "the namespace's quota is used up", _tight_quota, "quota-exceeded"),
    Fault("pod-refused", "a LimitRange forbids the pods' sizes", _refused_pods, "pod-refused"),
    Fault("image-missing", "the registry lost an image", _unpullable("not found"), "image-missing"),
    Fault(
        "image-denied",
        "the nodes may not pull",
        _unpullable("pull access denied: 401 Unauthorized"),
        "image-denied",
    ),
    Fault(
        "crash",
        "the new version ends when it starts",
        _troubled(lambda known: NewCrash(new=Newcomers(known=known))),
        "crash-loop",
    ),
    Fault(
        "out-of-memory",
        "the new version needs more memory than it may have",
        _troubled(lambda known: NewCrash(new=Newcomers(known=known), reason="OOMKilled", exit_code=137)),
        "out-of-memory",
    ),
    Fault(
        "sidecar",
        "the sidecar beside the new version ends",
        _troubled(lambda known: NewCrash(new=Newcomers(known=known, beside=True), container=SIDECAR)),
        "sidecar-failing",
    ),
    Fault(
        "never-ready",
        "the new version runs and is never ready",
        _troubled(lambda known: NewUnready(new=Newcomers(known=known))),
        "probe-failing",
    ),
    Fault(
        "failing-hook",
        "a migration fails",
        _troubled(lambda known: NewCrash(new=Newcomers(known=known, is_job=True))),
        "job-failed",
    ),
    Fault("stuck-pending", "an earlier Helm died in the middle", _stuck_pending),
    Fault("hand-edit", "somebody changed an image by hand", _hand_edit),
    Fault("dead-holder", "an earlier run died with the lock", _dead_holder),
    Fault("other-selector", "a Deployment's selector cannot be changed", _other_selector, "refused"),
)
