"""What earlier releases and hands left in the namespace: locks, half releases, foreign edits, what cannot be
changed.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from todo_release.adapters.helm.storage import PENDING
from todo_release.adapters.kubernetes.managed_fields import foreign, is_same
from todo_release.adapters.kubernetes.manifest import DELETE_POLICY, HOOK, Rendered, part_of
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.quantities import parse
from todo_release.core.formatting import ago
from todo_release.core.yaml_positions import Path, dotted
from todo_release.environments.lock import LEASE_SECONDS, NAME, holder_of
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.secret_summary import HELM_RELEASE
from todo_release.preflight.snapshot import DEPLOYMENTS, JOBS, LEASES, SECRETS, PreflightSnapshot

LARGE_BYTES, MOST_BYTES = 500_000, 1_048_576
SELECTED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
RELEASE_NAME, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
SHOWN = 3
# Fields that the API server lets nobody change, by kind; a change of one of them fails the whole release.
IMMUTABLE: Mapping[str, tuple[Path, ...]] = {
    **dict.fromkeys(SELECTED, (("spec", "selector"),)),
    "StatefulSet": (("spec", "selector"), ("spec", "serviceName"), ("spec", "podManagementPolicy")),
    "Job": (("spec", "template"), ("spec", "selector"), ("spec", "completions")),
    "Service": (("spec", "clusterIP"),),
    "PersistentVolumeClaim": (
        ("spec", "storageClassName"),
        ("spec", "accessModes"),
        ("spec", "volumeName"),
        ("spec", "volumeMode"),
    ),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
}


def _release_is_free(snapshot: PreflightSnapshot) -> Findings:
    """A pending revision blocks Helm; the engine unlocks one whose release has died."""
    snapshot.own(SECRETS)
    records = [
        facts
        for facts in snapshot.live.secrets.values()
        if facts.type == HELM_RELEASE and facts.labels.get("name") == snapshot.settings.release
    ]
    last = max(records, key=lambda facts: int(facts.labels["version"]), default=None)
    if last is None:
        return
    status = last.labels.get("status", "")
    if status in PENDING:
        yield note(
            f"Secret/{last.name}",
            f"Helm's revision {last.labels['version']} was left {status} by a run that was killed, or "
            "still works.",
            "Nothing is to be done: a dead one is unlocked before the deployment, a living one is waited "
            "for.",
        )
    if last.size_bytes >= LARGE_BYTES:
        yield warning(
            f"Secret/{last.name}",
            f"Helm's record takes {last.size_bytes // 1000} KB of the {MOST_BYTES // 1000} KB that a "
            "Secret may have.",
            "Move dashboards and other large files out of the chart, and keep archives out of its folder.",
        )


def _lock_is_free(snapshot: PreflightSnapshot) -> Findings:
    lease = snapshot.find(LEASES, NAME)
    holder = holder_of(lease) if lease else None
    if holder is None:
        return
    silent = (snapshot.now - datetime.fromisoformat(holder.beat)).total_seconds() if holder.beat else 0
    is_dead = silent > 2 * LEASE_SECONDS
    yield note(
        f"Lease/{NAME}",
        f"The environment is {'still marked as taken' if is_dead else 'taken'}: {holder}.",
        f"It has been silent for {silent:.0f} s and will be taken over."
        if is_dead
        else "The deployment waits for it.",
    )


def _hands_off(snapshot: PreflightSnapshot) -> Findings:
    """Fields that somebody set by hand or with another tool, and that this release sets to something else."""
    for one in snapshot.manifest.objects:
        live = snapshot.live_of(one)
        if live is None:
            continue
        edits: dict[tuple[str, str], list[Path]] = {}
        for manager, at, path in foreign(live, one.body):
            edits.setdefault((manager, at), []).append(path)
        for (manager, at), paths in edits.items():
            shown = ", ".join(dotted(path) for path in paths[:SHOWN])
            more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            yield warning(
                one.subject,
                f"{manager} set {shown}{more} {_age(snapshot, at)}; the release sets it back.",
                "Put into the chart what is to stay. Helm without --force-conflicts would fail on it, and "
                "so would its rollback.",
                paths[0],
            )


def _nothing_immutable_changes(snapshot: PreflightSnapshot) -> Findings:
    for one in snapshot.manifest.objects:
        live = None if one.hooks else snapshot.live_of(one)
        if live is None:
            continue
        for path in IMMUTABLE.get(one.kind, ()):
            wanted, found = part_of(one.body, path), part_of(live, path)
            if wanted is not None and not is_same(found, wanted):
                yield error(
                    one.subject,
                    f"{dotted(path)} changes, which Kubernetes does not allow: the release fails as it is "
                    "applied.",
                    "Undo the change, give the object another name, or delete the live one at a quiet hour.",
                    path,
                )
        if (
            one.kind in {"ConfigMap", "Secret"}
            and live.get("immutable")
            and not is_same(live.get("data"), one.body.get("data"))
        ):
            yield error(
                one.subject, "It is immutable and its data changes.", "Give it another name.", ("data",)
            )
        if one.kind == "PersistentVolumeClaim":
            yield from _shrinks(one, live)


def _shrinks(one: Rendered, live: JsonObject) -> Iterator[Finding]:
    path: Path = ("spec", "resources", "requests", "storage")
    wanted, found = part_of(one.body, path), part_of(live, path)
    if wanted and found and parse(wanted) < parse(found):
        yield error(
            one.subject,
            f"It asks for {wanted} and has {found}: volumes grow but never shrink.",
            f"Ask for {found}, or make a new claim and move the data.",
            path,
        )


def _nothing_is_anothers(snapshot: PreflightSnapshot) -> Findings:
    """Helm does not take over an object that it did not make."""
    before = snapshot.live.last_manifest
    for one in snapshot.manifest.objects:
        live = None if one.hooks else snapshot.live_of(one)
        if live is None or (before and before.find(one.kind, one.name)):
            continue
        notes = live["metadata"].get("annotations") or {}
        owner = (notes.get(RELEASE_NAMESPACE), notes.get(RELEASE_NAME))
        if owner != (snapshot.namespace, snapshot.settings.release):
            said = f"belongs to the release {owner[1]}" if owner[1] else "was not made by Helm"
            yield error(
                one.subject,
                f"An object of this name is there and {said}: Helm refuses to take it over.",
                "Delete it, or give it Helm's labels and annotations for this release.",
            )


def _nothing_is_stuck(snapshot: PreflightSnapshot) -> Findings:
    names = {one.name for one in snapshot.manifest.of_kind("Deployment")}
    for live in snapshot.own(DEPLOYMENTS):
        if live["metadata"]["name"] not in names:
            continue
        for condition in live.get("status", {}).get("conditions") or ():
            if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
                yield warning(
                    f"Deployment/{live['metadata']['name']}",
                    f"An earlier rollout never came to its end ({condition.get('message', '')}).",
                    "If this release does not change it, it fails again: see `inv diagnose`.",
                )


def _hooks_can_run(snapshot: PreflightSnapshot) -> Findings:
    """Jobs that earlier hooks left: the next run replaces them, unless their policy says otherwise."""
    for live in snapshot.own(JOBS):
        name = live["metadata"]["name"]
        one = snapshot.manifest.find("Job", name)
        policy = one.annotations.get(DELETE_POLICY, "before-hook-creation") if one and one.hooks else None
        if policy is not None and "before-hook-creation" not in policy:
            yield error(
                f"Job/{name}",
                "A Job of an earlier release is still there, and the hook's policy does not let Helm "
                "replace it.",
                f"Add before-hook-creation to {DELETE_POLICY}, or delete the Job.",
                ("metadata", "annotations", DELETE_POLICY),
            )
            continue
        conditions = live.get("status", {}).get("conditions") or ()
        is_failed = any(each["type"] == "Failed" and each["status"] == "True" for each in conditions)
        if is_failed and (one or HOOK in (live["metadata"].get("annotations") or {})):
            yield note(
                f"Job/{name}",
                "It failed in an earlier release and was left for its log.",
                f"Read it with `kubectl -n {snapshot.namespace} logs job/{name}`; the next release replaces "
                "it.",
            )


def _age(snapshot: PreflightSnapshot, at: str) -> str:
    if not at:
        return "at an unknown time"
    return ago((snapshot.now - datetime.fromisoformat(at)).total_seconds())


CHECK = Check(
    id="state",
    title="the namespace is ready to be changed",
    needs=(SECRETS, LEASES, DEPLOYMENTS, JOBS),
    rules=(
        _release_is_free, _lock_is_free, _hands_off, _nothing_immutable_changes, _nothing_is_anothers,
        _nothing_is_stuck, _hooks_can_run,
    ),
)  # fmt: skip
