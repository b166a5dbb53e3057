"""What earlier releases and hands left behind."""

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


def record(version: int, status: str, size_bytes: int = 1000, name: str = "shop-staging") -> SecretSummary:
    """A revision that Helm wrote down."""
    return SecretSummary(
        name=f"sh.helm.release.v1.{name}.v{version}",
        type=HELM_RELEASE,
        labels={"owner": "helm", "name": name, "status": status, "version": str(version)},
        size_bytes=size_bytes,
    )


def with_live(*pairs: tuple[dict[str, Any], dict[str, Any]], **rest: Any) -> PreflightSnapshot:
    """Rendered objects, each with what stands live in its place."""
    lists: dict[Any, Any] = rest.pop("lists", {})
    for wanted, there in pairs:
        lists.setdefault(make_manifest(wanted).objects[0].resource, []).append(there)
    return make_snapshot(*(wanted for wanted, _ in pairs), lists=lists, **rest)


def test_pending_release_is_told_with_what_becomes_of_it() -> None:
    """Only the newest revision of this release counts."""
    secrets = [
        record(9, "superseded"),
        record(10, "pending-upgrade"),
        record(11, "pending-install", name="other"),
    ]
    (finding,) = findings_of(CHECK, make_snapshot(secrets=secrets))
    assert (finding.severity.value, finding.subject) == ("note", "Secret/sh.helm.release.v1.shop-staging.v10")
    assert finding.cause.startswith("Helm's revision 10 is pending-upgrade")
    assert summaries_of(CHECK, make_snapshot(secrets=[record(10, "deployed")])) == []


def test_release_record_near_its_limit_is_a_warning() -> None:
    """At 1 MiB the release fails; half of it is time to act."""
    (finding,) = findings_of(CHECK, make_snapshot(secrets=[record(1, "deployed", 500_000)]))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "Helm's record takes 500 KB of the 1048 KB that a Secret may have.",
    )
    assert summaries_of(CHECK, make_snapshot(secrets=[record(1, "deployed", 499_999)])) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "The environment is locked: ana"), (300, "The environment is still marked as locked: ana")],
)
def test_lock_of_somebody_is_told(seconds: int, said: str) -> None:
    """A living holder is waited for, a dead one taken over: both are worth knowing."""
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
    assert finding.cause.startswith(said)
    free = {**lease, "spec": {**spec, "holderIdentity": ""}}
    assert summaries_of(CHECK, make_snapshot(lists={LEASES: [free]})) == []


def managed_entry(manager: str, fields: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """An entry of managedFields."""
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
    """A Deployment whose live image is another one, with one entry about it."""
    wanted = workload()
    there = live_object(workload(containers=[{"name": "web", "image": "registry.test/shop/web:hotfix"}]))
    there["metadata"]["managedFields"] = [{"manager": "helm", "fieldsV1": IMAGE}, entry]
    return with_live((wanted, there))


def test_field_set_by_hand_is_named_with_manager_and_age() -> None:
    """Nobody should wonder afterwards where the hotfix went."""
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
def test_fields_of_helm_and_controllers_are_in_good_hands(entry: dict[str, Any]) -> None:
    """No alarm on what belongs there."""
    assert summaries_of(CHECK, with_edited_image(**entry)) == []


def test_many_fields_of_one_hand_are_one_finding() -> None:
    """Three are named, the rest counted."""
    wanted = {**workload(), "metadata": {"name": "web", "labels": dict.fromkeys("abcde", "wanted")}}
    there = live_object({**wanted, "metadata": {"name": "web", "labels": dict.fromkeys("abcde", "live")}})
    fields = {"f:metadata": {"f:labels": {f"f:{key}": {} for key in "abcde"}}}
    there["metadata"]["managedFields"] = [
        managed_entry("kubectl-edit", fields, time=(NOW - timedelta(minutes=5)).isoformat())
    ]
    (finding,) = findings_of(CHECK, with_live((wanted, there)))
    assert finding.cause == (
        "kubectl-edit set metadata.labels.a, metadata.labels.b, metadata.labels.c and 2 more 5 minutes ago;"
        " the release sets it back."
    )
    there["metadata"]["managedFields"][0]["time"] = (NOW - timedelta(hours=30)).isoformat()
    assert "30 hours ago" in findings_of(CHECK, with_live((wanted, there)))[0].cause
    there["metadata"]["managedFields"][0]["time"] = NOW.isoformat()
    assert "just now" in findings_of(CHECK, with_live((wanted, there)))[0].cause
    del there["metadata"]["managedFields"][0]["time"]
    assert "at an unknown time" in findings_of(CHECK, with_live((wanted, there)))[0].cause


def test_owned_fields_are_those_that_both_name() -> None:
    """Lists by the keys of their items, with defaults that need not be written; sets and absent fields not at
    all.
    """
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
    """An injected container before it does not shift the comparison."""
    wanted = {"containers": [{"name": "web", "image": "a"}]}
    there = {"containers": [{"name": "daprd", "image": "d"}, {"name": "web", "image": "b"}]}
    path = ("containers", 0, "image")
    assert value_at(there, path, wanted) == "b"
    assert value_at({"containers": []}, path, wanted) is None
    assert value_at({"containers": "odd"}, path, wanted) is None
    assert value_at({"containers": ["odd"]}, path, wanted) is None
    assert value_at({"containers": [{"name": "web"}]}, (*path[:2], "image"), wanted) is None
    assert value_at("odd", ("containers",), wanted) is None


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
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
def test_values_are_the_same_when_kubernetes_takes_them_so(there: Any, wanted: Any, same: bool) -> None:
    """Quantities by their amount, what is not asked for not at all."""
    assert is_equivalent(there, wanted) is same


def test_nothing_is_foreign_where_nothing_is_managed() -> None:
    """Client-side objects have no such record."""
    assert list(foreign_fields({"metadata": {}}, {"a": 1})) == []


def selector(app: str) -> dict[str, Any]:
    """A Deployment with this selector."""
    return workload(spec={"selector": {"matchLabels": {"app": app}}})


def service(**spec: Any) -> dict[str, Any]:
    """A Service."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def claim(**spec: Any) -> dict[str, Any]:
    """A claim of a volume."""
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def storage(size: str) -> dict[str, Any]:
    """The part of a claim that says how much."""
    return {"resources": {"requests": {"storage": size}}}


@pytest.mark.parametrize(
    ("wanted", "there", "field"),
    [
        (selector("new"), selector("old"), "spec.selector"),
        (workload("seed", kind="Job", restartPolicy="Never"), workload("seed", kind="Job"), "spec.template"),
        (service(clusterIP="None"), service(clusterIP="10.0.0.7"), "spec.clusterIP"),
        (claim(storageClassName="fast"), claim(storageClassName="slow"), "spec.storageClassName"),
        (claim(accessModes=["ReadWriteMany"]), claim(accessModes=["ReadWriteOnce"]), "spec.accessModes"),
        (
            workload(kind="StatefulSet", spec={"serviceName": "b"}),
            workload(kind="StatefulSet", spec={"serviceName": "a"}),
            "spec.serviceName",
        ),
    ],
    ids=["selector", "job", "clusterIP", "class", "modes", "serviceName"],
)
def test_field_that_nobody_may_change_fails_the_release(wanted: Any, there: Any, field: str) -> None:
    """Seen before Helm has applied the first half."""
    (finding,) = findings_of(CHECK, with_live((wanted, live_object(there))))
    assert (finding.severity.value, finding.path) == ("error", field)
    assert summaries_of(CHECK, with_live((there, live_object(there)))) == []


def test_volume_that_should_shrink_is_found_and_one_that_grows_is_not() -> None:
    """Kubernetes only ever grows them."""
    (finding,) = findings_of(
        CHECK, with_live((claim(**storage("1Gi")), live_object(claim(**storage("2Gi")))))
    )
    assert finding.cause == "It requests 1Gi and has 2Gi: volumes grow but never shrink."
    assert (
        summaries_of(CHECK, with_live((claim(**storage("3Gi")), live_object(claim(**storage("2Gi")))))) == []
    )


def test_immutable_config_map_cannot_take_other_data() -> None:
    """It needs another name."""
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    there = live_object({**wanted, "data": {"a": "2"}, "immutable": True})
    assert error_causes(CHECK, with_live((wanted, there))) == ["It is immutable and its data changes."]
    assert summaries_of(CHECK, with_live((wanted, {**there, "immutable": False}))) == []


def test_object_of_another_owner_is_not_taken_over() -> None:
    """Helm refuses; one that our release applied before is ours whatever it is labelled."""
    wanted = service(clusterIP="10.0.0.7")
    foreign_one = live_object(wanted, annotations={"meta.helm.sh/release-name": "other"})
    assert error_causes(CHECK, with_live((wanted, foreign_one))) == [
        "An object of this name exists and belongs to the release other: Helm refuses to take it over."
    ]
    by_hand = live_object(wanted, annotations={})
    assert error_causes(CHECK, with_live((wanted, by_hand))) == [
        "An object of this name exists and was not created by Helm: Helm refuses to take it over."
    ]
    assert (
        summaries_of(CHECK, with_live((wanted, by_hand), live={"last_manifest": make_manifest(wanted)})) == []
    )


def test_rollout_that_never_ended_is_a_warning() -> None:
    """A release that does not touch it would fail on it."""
    condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "it timed out"}
    there = live_object(workload()) | {"status": {"conditions": [condition]}}
    other = live_object(workload("other")) | {"status": {"conditions": [condition]}}
    snapshot = with_live((workload(), there), lists={DEPLOYMENTS: [other]})
    assert summaries_of(CHECK, snapshot) == [
        ("warning", "Deployment/web", "An earlier rollout never finished (it timed out).")
    ]


FAILED = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}
POLICY = "helm.sh/hook-delete-policy"


def test_object_for_another_namespace_is_not_compared() -> None:
    """What stands there is somebody else's to know."""
    wanted = {**service(clusterIP="None"), "metadata": {"name": "web", "namespace": "other"}}
    assert summaries_of(CHECK, with_live((wanted, live_object(service(clusterIP="10.0.0.7"))))) == []


def test_failed_hook_is_a_note_and_one_that_cannot_be_replaced_an_error() -> None:
    """By Helm's policy: the default one replaces."""
    hook = workload("migrate", kind="Job", hook="pre-upgrade")
    assert severities_of(CHECK, with_live((hook, live_object(hook) | FAILED))) == ["note"]
    assert summaries_of(CHECK, with_live((hook, live_object(hook)))) == []
    hook["metadata"]["annotations"][POLICY] = "hook-succeeded"
    assert severities_of(CHECK, with_live((hook, live_object(hook) | FAILED))) == ["error"]
    gone = live_object(workload("old", kind="Job", hook="pre-upgrade")) | FAILED
    assert [finding.subject for finding in findings_of(CHECK, make_snapshot(lists={JOBS: [gone]}))] == [
        "Job/old"
    ]
    plain = live_object(workload("seed", kind="Job")) | FAILED
    assert summaries_of(CHECK, make_snapshot(lists={JOBS: [plain]})) == []


def test_secrets_that_may_not_be_listed_are_a_note() -> None:
    """The rest is judged."""
    snapshot = make_snapshot(workload())
    lists = {key: value for key, value in snapshot.live.lists.items() if str(key) != "secrets"}
    snapshot = replace(
        snapshot,
        live=replace(snapshot.live, lists=lists, unread={"secrets": "secrets may not be read (403)"}),
    )
    assert summaries_of(CHECK, snapshot) == [
        ("note", "Namespace/staging", "Not everything could be checked: secrets may not be read (403).")
    ]
