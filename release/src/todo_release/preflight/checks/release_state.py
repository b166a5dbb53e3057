"""Checks what earlier releases and manual edits left: locks, foreign edits, immutable fields, hook Jobs."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from todo_release.adapters.helm.storage import PENDING_STATUSES
from todo_release.adapters.kubernetes.api_resources import (
    DEPLOYMENTS,
    JOBS,
    LEASES,
    SECRETS,
)
from todo_release.adapters.kubernetes.managed_fields import foreign_fields, is_equivalent
from todo_release.adapters.kubernetes.manifest import DELETE_POLICY, HOOK, RenderedObject, part_of
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.kubernetes.quantities import parse_quantity
from todo_release.core.formatting import ago
from todo_release.core.yaml_positions import YamlPath, dotted
from todo_release.environments.lock import LEASE_NAME, LEASE_SECONDS, parse_holder
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.secret_summary import HELM_RELEASE
from todo_release.preflight.snapshot import PreflightSnapshot

LARGE_RECORD_BYTES, MAX_SECRET_BYTES = 500_000, 1_048_576
WORKLOADS_WITH_SELECTOR = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
RELEASE_NAME, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
MAX_NAMED = 3
DEFAULT_POLICY, HOOK_FAILED = "before-hook-creation", "hook-failed"
# Fields that the API server lets nobody change, by kind; a change of one of them fails the whole release.
IMMUTABLE: Mapping[str, tuple[YamlPath, ...]] = {
    **dict.fromkeys(WORKLOADS_WITH_SELECTOR, (("spec", "selector"),)),
    "StatefulSet": (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ),
    "Job": (("spec", "template"), ("spec", "selector"), ("spec", "completions"), ("spec", "completionMode")),
    "Secret": (("type",),),
    "StorageClass": (("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",)),
    "PriorityClass": (("value",),),
    "IngressClass": (("spec", "controller"),),
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


def _helm_is_ready(snapshot: PreflightSnapshot) -> Findings:
    """Checks Helm's newest revision: a pending one, which the engine unlocks, and the size of its record."""
    snapshot.in_namespace(SECRETS)  # raises UnreadError if the Secrets could not be read
    records = [
        secret
        for secret in snapshot.live.secrets.values()
        if secret.type == HELM_RELEASE and secret.labels.get("name") == snapshot.settings.release
    ]
    last = max(records, key=lambda secret: int(secret.labels["version"]), default=None)
    if last is None:
        return
    status = last.labels.get("status", "")
    if status in PENDING_STATUSES:
        yield note(
            f"Secret/{last.name}",
            f"Helm's revision {last.labels['version']} is {status}: its run was killed, or is still working.",
            "Nothing to do: the deployment unlocks it after a killed run, and waits for one that works.",
        )
    if last.size_bytes >= LARGE_RECORD_BYTES:
        yield warning(
            f"Secret/{last.name}",
            f"Helm's record takes {last.size_bytes // 1000} KB of the {MAX_SECRET_BYTES // 1000} KB that a "
            "Secret may have.",
            "Move dashboards and other large files out of the chart, and keep archives out of its folder.",
        )


def _environment_is_unlocked(snapshot: PreflightSnapshot) -> Findings:
    lease = snapshot.find(LEASES, LEASE_NAME)
    holder = parse_holder(lease) if lease else None
    if holder is None:
        return
    silent_seconds = 0.0
    if holder.renewed_at:
        silent_seconds = (snapshot.now - datetime.fromisoformat(holder.renewed_at)).total_seconds()
    is_expired = silent_seconds > 2 * LEASE_SECONDS
    yield note(
        f"Lease/{LEASE_NAME}",
        f"The environment is {'still marked as locked' if is_expired else 'locked'}: {holder}.",
        f"Nothing to do: it was not renewed for {silent_seconds:.0f} s, and the deployment takes it over."
        if is_expired
        else "Nothing to do: the deployment waits for it.",
    )


def _no_foreign_edits(snapshot: PreflightSnapshot) -> Findings:
    """Checks for fields that another tool set and that this release sets to something else."""
    for rendered in snapshot.manifest.objects:
        live = snapshot.live_of(rendered)
        if live is None:
            continue
        edits: dict[tuple[str, str], list[YamlPath]] = {}
        for manager, at, path in foreign_fields(live, rendered.body):
            edits.setdefault((manager, at), []).append(path)
        for (manager, at), paths in edits.items():
            shown = ", ".join(dotted(path) for path in paths[:MAX_NAMED])
            more = f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
            yield warning(
                rendered.subject,
                f"{manager} set {shown}{more} {_age(snapshot, at)}; the release sets it back.",
                "Put into the chart what is to stay. Helm without --force-conflicts would fail on it, and so "
                "would its rollback.",
                paths[0],
            )


def _immutable_fields_stay(snapshot: PreflightSnapshot) -> Findings:
    for rendered in snapshot.manifest.objects:
        live = None if rendered.hooks else snapshot.live_of(rendered)
        if live is None:
            continue
        for path in IMMUTABLE.get(rendered.kind, ()):
            wanted, current = part_of(rendered.body, path), part_of(live, path)
            if wanted is not None and not is_equivalent(current, wanted):
                yield error(
                    rendered.subject,
                    f"{dotted(path)} changes, which Kubernetes does not allow: the release fails as it is "
                    "applied.",
                    "Undo the change, give the object another name, or delete the live one at a quiet hour.",
                    path,
                )
        has_data = rendered.kind in {"ConfigMap", "Secret"}
        if (
            has_data
            and live.get("immutable")
            and not is_equivalent(live.get("data"), rendered.body.get("data"))
        ):
            yield error(
                rendered.subject, "It is immutable and its data changes.", "Give it another name.", ("data",)
            )
        if rendered.kind == "PersistentVolumeClaim":
            yield from _shrinking_volume(rendered, live)


def _shrinking_volume(rendered: RenderedObject, live: JsonObject) -> Iterator[Finding]:
    path: YamlPath = ("spec", "resources", "requests", "storage")
    wanted, current = part_of(rendered.body, path), part_of(live, path)
    if wanted and current and parse_quantity(wanted) < parse_quantity(current):
        yield error(
            rendered.subject,
            f"It requests {wanted} and has {current}: volumes grow but never shrink.",
            f"Request {current}, or create a new claim and move the data.",
            path,
        )


def _objects_belong_to_the_release(snapshot: PreflightSnapshot) -> Findings:
    """Checks owners, because Helm refuses to take over an object that it did not create."""
    before = snapshot.live.last_manifest
    for rendered in snapshot.manifest.objects:
        live = None if rendered.hooks else snapshot.live_of(rendered)
        if live is None or (before and before.find(rendered.kind, rendered.name)):
            continue
        annotations = live["metadata"].get("annotations") or {}
        owner = (annotations.get(RELEASE_NAMESPACE), annotations.get(RELEASE_NAME))
        if owner != (snapshot.namespace, snapshot.settings.release):
            origin = f"belongs to the release {owner[1]}" if owner[1] else "was not created by Helm"
            yield error(
                rendered.subject,
                f"An object of this name exists and {origin}: Helm refuses to take it over.",
                "Delete it, or give it Helm's labels and annotations for this release.",
            )


def _no_rollout_is_stuck(snapshot: PreflightSnapshot) -> Findings:
    names = {deployment.name for deployment in snapshot.manifest.of_kind("Deployment")}
    for live in snapshot.in_namespace(DEPLOYMENTS):
        if live["metadata"]["name"] not in names:
            continue
        for condition in live.get("status", {}).get("conditions") or ():
            if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
                yield warning(
                    f"Deployment/{live['metadata']['name']}",
                    f"An earlier rollout never finished ({condition.get('message', '')}).",
                    "A release that does not change it fails again; find the cause with "
                    f"`inv diagnose --env {snapshot.environment}`.",
                )


def _hooks_can_run(snapshot: PreflightSnapshot) -> Findings:
    """Checks Jobs that earlier hooks left; the next run replaces them, unless their policy forbids it."""
    for live in snapshot.in_namespace(JOBS):
        name = live["metadata"]["name"]
        rendered = snapshot.manifest.find("Job", name)
        policy = None
        if rendered and rendered.hooks:
            policy = rendered.annotations.get(DELETE_POLICY, DEFAULT_POLICY)
        if policy is not None and DEFAULT_POLICY not in policy:
            yield error(
                f"Job/{name}",
                "A Job of an earlier release still exists, and the hook's policy forbids Helm to replace it.",
                f"Add {DEFAULT_POLICY} to {DELETE_POLICY}, or delete the Job.",
                ("metadata", "annotations", DELETE_POLICY),
            )
            continue
        is_hook = rendered is not None or HOOK in (live["metadata"].get("annotations") or {})
        if is_hook and _has_failed(live):
            yield note(
                f"Job/{name}",
                "It failed in an earlier release and was kept for its log.",
                f"Read it: `kubectl -n {snapshot.namespace} logs job/{name}`; the next release replaces it.",
            )


def _helm_knows_the_names(snapshot: PreflightSnapshot) -> Findings:
    """Checks objects with `generateName`: Helm only creates them, and fails where it must find one again."""
    for rendered in snapshot.manifest.objects:
        if not rendered.is_name_generated:
            continue
        if not rendered.hooks:
            yield error(
                rendered.subject,
                "It has generateName and no name, so Helm cannot find it again and refuses the release.",
                "Give it a name.",
                ("metadata", "generateName"),
            )
        elif (policy := rendered.annotations.get(DELETE_POLICY, DEFAULT_POLICY)) != HOOK_FAILED:
            named = f"{rendered.name}{{{{ .Release.Revision }}}}"
            yield error(
                rendered.subject,
                f"The hook has generateName and no name, and the policy {policy}: Helm fails with 'resource "
                "name may not be empty' where it should delete the hook.",
                f"Give it a name, such as {named}, or the policy {HOOK_FAILED}.",
                ("metadata", "generateName"),
            )


def _has_failed(job: JsonObject) -> bool:
    conditions = job.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Failed" and condition["status"] == "True" for condition in conditions)


def _age(snapshot: PreflightSnapshot, at: str) -> str:
    if not at:
        return "at an unknown time"
    return ago((snapshot.now - datetime.fromisoformat(at)).total_seconds())


CHECK = PreflightCheck(
    id="release-state",
    title="the namespace is ready for a release",
    needs=(SECRETS, LEASES, DEPLOYMENTS, JOBS),
    rules=(
        _helm_is_ready, _environment_is_unlocked, _no_foreign_edits, _immutable_fields_stay,
        _objects_belong_to_the_release, _no_rollout_is_stuck, _hooks_can_run, _helm_knows_the_names,
    ),
)  # fmt: skip
