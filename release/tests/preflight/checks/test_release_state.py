"""What earlier releases and manual edits left behind."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    DEPLOYMENTS,
    JOBS,
    LEASES,
)
from todo_release.adapters.kubernetes.managed_fields import (
    foreign_fields,
    is_equivalent,
    owned_paths,
    value_at,
)
from todo_release.preflight.checks.release_state import CHECK
from todo_release.preflight.secret_summary import HELM_RELEASE
from todo_release.preflight.snapshot import PreflightSnapshot, SecretSummary

from ..snapshots import (
    NOW,
    error_causes,
    findings_of,
    live_object,
    make_manifest,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)


def helm_record(
    version: int, status: str, size_bytes: int = 1000, name: str = "shop-staging"
) -> SecretSummary:
    """Returns Helm's record of a revision."""
    return SecretSummary(
        name=f"sh.helm.release.v1.{name}.v{version}",
        type=HELM_RELEASE,
        labels={"owner": "helm", "name": name, "status": status, "version": str(version)},
        size_bytes=size_bytes,
    )


def with_live(*pairs: tuple[dict[str, Any], dict[str, Any]], **rest: Any) -> PreflightSnapshot:
    """Returns a snapshot of rendered objects, each with its live object."""
    lists: dict[Any, Any] = rest.pop("lists", {})
    for wanted, current in pairs:
        lists.setdefault(make_manifest(wanted).objects[0].resource, []).append(current)
    return make_snapshot(*(wanted for wanted, _ in pairs), lists=lists, **rest)


def test_pending_revision_is_a_note() -> None:
    """Only the newest revision of this release counts."""
    secrets = [
        helm_record(9, "superseded"),
        helm_record(10, "pending-upgrade"),
        helm_record(11, "pending-install", name="other"),
    ]
    (finding,) = findings_of(CHECK, make_snapshot(secrets=secrets))
    assert (finding.severity.value, finding.subject) == ("note", "Secret/sh.helm.release.v1.shop-staging.v10")
    assert finding.cause.startswith("Helm's revision 10 is pending-upgrade")
    assert summaries_of(CHECK, make_snapshot(secrets=[helm_record(10, "deployed")])) == []


def test_release_record_near_its_limit_is_a_warning() -> None:
    """Half of the limit of 1 MiB is a warning."""
    (finding,) = findings_of(CHECK, make_snapshot(secrets=[helm_record(1, "deployed", 500_000)]))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "Helm's record takes 500 KB of the 1048 KB that a Secret may have.",
    )
    assert summaries_of(CHECK, make_snapshot(secrets=[helm_record(1, "deployed", 499_999)])) == []


@pytest.mark.parametrize(
    ("seconds", "beginning"),
    [(5, "The environment is locked: ana"), (300, "The environment is still marked as locked: ana")],
)
def test_held_and_expired_locks_are_notes(seconds: int, beginning: str) -> None:
    """The note says whether the deployment waits or takes over."""
    spec = {
        "holderIdentity": "ana/1",
        "acquireTime": "2026-11-24T11:00:00.000000Z",
        "renewTime": (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    lease = {
        "metadata": {"name": "release-lock", "annotations": {"todo-release/version": "0.2.0"}},
        "spec": spec,
    }
    (finding,) = findings_of(CHECK, make_snapshot(lists={LEASES: [lease]}))
    assert finding.severity.value == "note"
    assert finding.cause.startswith(beginning)
    free = {**lease, "spec": {**spec, "holderIdentity": ""}}
    assert summaries_of(CHECK, make_snapshot(lists={LEASES: [free]})) == []


def managed_entry(manager: str, fields: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """Returns an entry of managedFields."""
    return {
        "manager": manager,
        "operation": "Update",
        "time": "2026-11-22T12:00:00Z",
        "fieldsV1": fields,
        **rest,
    }


IMAGE = {
    "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}}}}
}


def with_edited_image(**entry: Any) -> PreflightSnapshot:
    """Returns a Deployment whose live image differs, with one entry about it."""
    wanted = workload()
    current = live_object(workload(containers=[{"name": "web", "image": "registry.test/shop/web:hotfix"}]))
    current["metadata"]["managedFields"] = [{"manager": "helm", "fieldsV1": IMAGE}, entry]
    return with_live((wanted, current))


def test_manual_edit_is_a_warning_with_manager_and_age() -> None:
    """The warning names the field that the release sets back."""
    (finding,) = findings_of(CHECK, with_edited_image(**managed_entry("kubectl-set", IMAGE)))
    assert finding.severity.value == "warning"
    assert finding.cause == (
        "kubectl-set set spec.template.spec.containers[0].image 2 days ago; the release sets it back."
    )
    assert finding.path == "spec.template.spec.containers[0].image"


@pytest.mark.parametrize(
    "entry",
    [
        managed_entry("helm", IMAGE),
        managed_entry("kube-controller-manager", IMAGE),
        managed_entry("kubelet", IMAGE, subresource="status"),
        managed_entry("kubectl-label", {"f:metadata": {"f:labels": {"f:mine": {}}}}),
    ],
    ids=["helm", "controller", "status", "a field the chart does not set"],
)
def test_fields_of_helm_and_controllers_are_no_finding(entry: dict[str, Any]) -> None:
    """Controllers, subresources and fields outside the chart do not count."""
    assert summaries_of(CHECK, with_edited_image(**entry)) == []


def test_many_edits_of_one_manager_are_one_finding() -> None:
    """Three fields are named and the rest is counted."""
    wanted = {**workload(), "metadata": {"name": "web", "labels": dict.fromkeys("abcde", "wanted")}}
    current = live_object({**wanted, "metadata": {"name": "web", "labels": dict.fromkeys("abcde", "live")}})
    fields = {"f:metadata": {"f:labels": {f"f:{key}": {} for key in "abcde"}}}
    current["metadata"]["managedFields"] = [
        managed_entry("kubectl-edit", fields, time=(NOW - timedelta(minutes=5)).isoformat())
    ]
    (finding,) = findings_of(CHECK, with_live((wanted, current)))
    assert finding.cause == (
        "kubectl-edit set metadata.labels.a, metadata.labels.b, metadata.labels.c and 2 more 5 minutes ago;"
        " the release sets it back."
    )
    current["metadata"]["managedFields"][0]["time"] = (NOW - timedelta(hours=30)).isoformat()
    assert "30 hours ago" in findings_of(CHECK, with_live((wanted, current)))[0].cause
    current["metadata"]["managedFields"][0]["time"] = NOW.isoformat()
    assert "just now" in findings_of(CHECK, with_live((wanted, current)))[0].cause
    del current["metadata"]["managedFields"][0]["time"]
    assert "at an unknown time" in findings_of(CHECK, with_live((wanted, current)))[0].cause


def test_owned_paths_are_fields_that_both_name() -> None:
    """List items are matched by their keys; sets and absent fields are left out."""
    wanted = {"ports": [{"containerPort": 80}], "args": ["a"], "labels": {"a": "b"}, "level": "1"}
    fields = {
        "f:ports": {
            'k:{"containerPort":80,"protocol":"TCP"}': {"f:containerPort": {}},
            'k:{"containerPort":81}': {},
        },
        "f:args": {'v:"a"': {}},
        "f:labels": {".": {}},
        "f:level": {},
        "f:other": {},
        ".": {},
    }
    assert list(owned_paths(fields, wanted)) == [("ports", 0, "containerPort"), ("level",)]
    assert list(owned_paths({"f:labels": {}}, wanted)) == [("labels",)]


def test_live_value_is_found_by_the_name_of_an_item() -> None:
    """An injected container before an item does not shift the comparison."""
    wanted = {"containers": [{"name": "web", "image": "a"}]}
    current = {"containers": [{"name": "daprd", "image": "d"}, {"name": "web", "image": "b"}]}
    path = ("containers", 0, "image")
    assert value_at(current, path, wanted) == "b"
    assert value_at({"containers": []}, path, wanted) is None
    assert value_at({"containers": "odd"}, path, wanted) is None
    assert value_at({"containers": ["odd"]}, path, wanted) is None
    assert value_at({"containers": [{"name": "web"}]}, (*path[:2], "image"), wanted) is None
    assert value_at("odd", ("containers",), wanted) is None


@pytest.mark.parametrize(
    ("current", "wanted", "is_same"),
    [
        ("1", "1000m", True),
        ("128Mi", "134217728", True),
        (None, "", True),
        (None, {}, True),
        ("a", "b", False),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ([1, 2], [1, 2], True),
        ([1], [1, 2], False),
        ("a", [1], False),
    ],
)
def test_values_are_equivalent_when_kubernetes_treats_them_alike(
    current: Any, wanted: Any, is_same: bool
) -> None:
    """Quantities compare by amount, and fields that are not wanted do not count."""
    assert is_equivalent(current, wanted) is is_same


def test_object_without_managed_fields_has_no_foreign_fields() -> None:
    """Objects of client-side apply have no record of owners."""
    assert list(foreign_fields({"metadata": {}}, {"a": 1})) == []


def deployment(app: str) -> dict[str, Any]:
    """Returns a Deployment with this selector."""
    return workload(spec={"selector": {"matchLabels": {"app": app}}})


def service(**spec: Any) -> dict[str, Any]:
    """Returns a Service."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def claim(**spec: Any) -> dict[str, Any]:
    """Returns a claim of a volume."""
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def storage(size: str) -> dict[str, Any]:
    """Returns the part of a claim with its size."""
    return {"resources": {"requests": {"storage": size}}}


@pytest.mark.parametrize(
    ("wanted", "current", "field"),
    [
        (deployment("new"), deployment("old"), "spec.selector"),
        (workload("seed", kind="Job", restartPolicy="Never"), workload("seed", kind="Job"), "spec.template"),
        (service(clusterIP="None"), service(clusterIP="10.0.0.7"), "spec.clusterIP"),
        (claim(storageClassName="fast"), claim(storageClassName="slow"), "spec.storageClassName"),
        (
            workload(kind="StatefulSet", spec={"volumeClaimTemplates": [claim(**storage("2Gi"))]}),
            workload(kind="StatefulSet", spec={"volumeClaimTemplates": [claim(**storage("1Gi"))]}),
            "spec.volumeClaimTemplates",
        ),
        (claim(accessModes=["ReadWriteMany"]), claim(accessModes=["ReadWriteOnce"]), "spec.accessModes"),
        (
            workload(kind="StatefulSet", spec={"serviceName": "b"}),
            workload(kind="StatefulSet", spec={"serviceName": "a"}),
            "spec.serviceName",
        ),
    ],
    ids=["selector", "job", "clusterIP", "class", "claim templates", "modes", "serviceName"],
)
def test_change_of_an_immutable_field_is_an_error(wanted: Any, current: Any, field: str) -> None:
    """Each immutable field is found before Helm applies anything."""
    (finding,) = findings_of(CHECK, with_live((wanted, live_object(current))))
    assert (finding.severity.value, finding.path) == ("error", field)
    assert summaries_of(CHECK, with_live((current, live_object(current)))) == []


def test_shrinking_volume_is_an_error() -> None:
    """Kubernetes only lets volumes grow."""
    (finding,) = findings_of(
        CHECK, with_live((claim(**storage("1Gi")), live_object(claim(**storage("2Gi")))))
    )
    assert finding.cause == "It requests 1Gi and has 2Gi: volumes grow but never shrink."
    assert (
        summaries_of(CHECK, with_live((claim(**storage("3Gi")), live_object(claim(**storage("2Gi")))))) == []
    )


def test_new_data_of_an_immutable_config_map_is_an_error() -> None:
    """An immutable ConfigMap needs another name for other data."""
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    current = live_object({**wanted, "data": {"a": "2"}, "immutable": True})
    assert error_causes(CHECK, with_live((wanted, current))) == ["It is immutable and its data changes."]
    assert summaries_of(CHECK, with_live((wanted, {**current, "immutable": False}))) == []


def test_object_of_another_owner_is_an_error() -> None:
    """Helm refuses it, unless this release applied it before."""
    wanted = service(clusterIP="10.0.0.7")
    of_other_release = live_object(wanted, annotations={"meta.helm.sh/release-name": "other"})
    assert error_causes(CHECK, with_live((wanted, of_other_release))) == [
        "An object of this name exists and belongs to the release other: Helm refuses to take it over."
    ]
    by_hand = live_object(wanted, annotations={})
    assert error_causes(CHECK, with_live((wanted, by_hand))) == [
        "An object of this name exists and was not created by Helm: Helm refuses to take it over."
    ]
    assert (
        summaries_of(CHECK, with_live((wanted, by_hand), live={"last_manifest": make_manifest(wanted)})) == []
    )


def test_stuck_rollout_is_a_warning() -> None:
    """A release that does not change the workload would fail on it again."""
    condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "it timed out"}
    current = live_object(workload()) | {"status": {"conditions": [condition]}}
    other = live_object(workload("other")) | {"status": {"conditions": [condition]}}
    snapshot = with_live((workload(), current), lists={DEPLOYMENTS: [other]})
    assert summaries_of(CHECK, snapshot) == [
        ("warning", "Deployment/web", "An earlier rollout never finished (it timed out).")
    ]


FAILED = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}
POLICY = "helm.sh/hook-delete-policy"


def test_object_for_another_namespace_is_not_compared() -> None:
    """Objects of other namespaces are not read."""
    wanted = {**service(clusterIP="None"), "metadata": {"name": "web", "namespace": "other"}}
    assert summaries_of(CHECK, with_live((wanted, live_object(service(clusterIP="10.0.0.7"))))) == []


@pytest.mark.parametrize(
    ("hook", "policy", "problem"),
    [
        ("pre-upgrade", None, "the policy before-hook-creation"),
        ("pre-upgrade", "hook-succeeded,hook-failed", "the policy hook-succeeded,hook-failed"),
        ("pre-upgrade", "hook-failed", None),
        (None, None, "cannot find it again"),
    ],
)
def test_object_without_a_name_is_refused_where_helm_must_find_it_again(
    hook: str | None, policy: str | None, problem: str | None
) -> None:
    """Helm creates an object with generateName, and fails as soon as it should delete or update it."""
    job = workload("x", kind="Job", hook=hook)
    job["metadata"]["generateName"] = f"{job['metadata'].pop('name')}-"
    if policy:
        job["metadata"]["annotations"][POLICY] = policy
    found = findings_of(CHECK, make_snapshot(job))
    assert [problem in finding.cause for finding in found if problem] == ([True] if problem else [])
    assert len(found) == (problem is not None)


def test_failed_hook_is_a_note_and_a_hook_that_stays_an_error() -> None:
    """Helm's default policy replaces the Job of an earlier hook."""
    hook = workload("migrate", kind="Job", hook="pre-upgrade")
    assert severities_of(CHECK, with_live((hook, live_object(hook) | FAILED))) == ["note"]
    assert summaries_of(CHECK, with_live((hook, live_object(hook)))) == []
    hook["metadata"]["annotations"][POLICY] = "hook-succeeded"
    assert severities_of(CHECK, with_live((hook, live_object(hook) | FAILED))) == ["error"]
    old_hook = live_object(workload("old", kind="Job", hook="pre-upgrade")) | FAILED
    assert [finding.subject for finding in findings_of(CHECK, make_snapshot(lists={JOBS: [old_hook]}))] == [
        "Job/old"
    ]
    plain = live_object(workload("seed", kind="Job")) | FAILED
    assert summaries_of(CHECK, make_snapshot(lists={JOBS: [plain]})) == []


def test_unread_secrets_are_a_note() -> None:
    """The other rules still run."""
    snapshot = make_snapshot(workload())
    lists = {key: value for key, value in snapshot.live.lists.items() if str(key) != "secrets"}
    snapshot = replace(
        snapshot,
        live=replace(snapshot.live, lists=lists, unread={"secrets": "secrets may not be read (403)"}),
    )
    assert summaries_of(CHECK, snapshot) == [
        ("note", "Namespace/staging", "Not everything could be checked: secrets may not be read (403).")
    ]
