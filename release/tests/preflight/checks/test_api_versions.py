"""Whether the cluster takes what the chart asks of it."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    MUTATING_WEBHOOKS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from todo_release.preflight.checks.api_versions import CHECK
from todo_release.preflight.snapshot import PreflightSnapshot, ServedResource

from ..snapshots import error_causes, findings_of, make_snapshot, severities_of, summaries_of, workload

SERVED = [
    ServedResource(api_version=version, kind=kind, plural=f"{kind.lower()}s", is_namespaced=True)
    for version, kind in (
        ("apps/v1", "Deployment"),
        ("batch/v1", "CronJob"),
        ("batch/v1beta1", "CronJob"),
        ("v1", "Pod"),
    )
]


def make_cluster(
    *objects: dict[str, Any], webhooks: list[Any] | None = None, **rest: Any
) -> PreflightSnapshot:
    """A cluster that serves a little, with these mutating webhooks."""
    lists = {MUTATING_WEBHOOKS: webhooks or [], **rest.pop("lists", {})}
    return make_snapshot(*objects, lists=lists, live={"served": SERVED, **rest.pop("live", {})}, **rest)


def thing(api_version: str, kind: str) -> dict[str, Any]:
    """An object of any kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}


def test_kinds_that_are_served_say_nothing() -> None:
    """And those whose definition the chart brings itself."""
    own = {
        **thing("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        "spec": {"names": {"kind": "Widget"}},
    }
    assert error_causes(CHECK, make_cluster(workload(), thing("batch/v1", "CronJob"))) == []
    assert error_causes(CHECK, make_cluster(own, thing("shop.test/v1", "Widget"))) == [
        "The cluster serves no apiextensions.k8s.io/v1 CustomResourceDefinition."
    ]


@pytest.mark.parametrize(
    ("api_version", "kind", "remedy"),
    [
        (
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            "Install the CustomResourceDefinitions of monitoring.coreos.com, or switch the object off in the values.",
        ),
        ("batch/v2", "CronJob", "Write apiVersion batch/v1beta1."),
        ("policy/v1beta1", "PodDisruptionBudget", "Write apiVersion policy/v1."),
        ("v2", "Pod", "Write apiVersion v1."),
    ],
)
def test_kind_that_is_not_served_is_told_once_with_what_to_write(
    api_version: str, kind: str, remedy: str
) -> None:
    """Missing definitions, versions that never were, versions that are gone."""
    (finding,) = findings_of(CHECK, make_cluster(thing(api_version, kind), thing(api_version, kind)))
    assert (finding.severity.value, finding.cause, finding.remedy) == (
        "error",
        f"The cluster serves no {api_version} {kind}.",
        remedy,
    )


def test_version_that_will_go_is_a_warning() -> None:
    """While the cluster still serves it."""
    (finding,) = findings_of(CHECK, make_cluster(thing("batch/v1beta1", "CronJob")))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "Kubernetes 1.25 no longer serves batch/v1beta1 CronJob; this cluster (1.34) still does.",
    )
    assert summaries_of(CHECK, make_cluster(thing("batch/v1beta1", "CronJob"), live={"version": None})) == []


def test_what_is_served_must_have_been_read() -> None:
    """Else nothing can be said."""
    assert severities_of(CHECK, make_cluster(workload(), live={"served": ()})) == ["note"]


SIDECAR = workload(annotations={"dapr.io/enabled": "true"})
SERVICE = {"namespace": "dapr-system", "name": "dapr-sidecar-injector"}


def hook(policy: str = "Ignore", **rest: Any) -> dict[str, Any]:
    """A webhook for new pods."""
    rules = [{"resources": ["pods"], "operations": ["CREATE"]}]
    return {
        "metadata": {"name": "hook"},
        "webhooks": [{"clientConfig": {"service": SERVICE}, "failurePolicy": policy, "rules": rules, **rest}],
    }


def behind(*, ready: str = "True", selector: dict[str, str] | None = None) -> dict[Any, Any]:
    """The Service and one pod behind it."""
    pod = {
        "metadata": {"namespace": "dapr-system", "name": "p", "labels": {"app": "injector"}},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }
    return {
        SERVICES: [{"metadata": SERVICE, "spec": {"selector": selector or {"app": "injector"}}}],
        PODS: [pod],
    }


def test_injector_must_be_there_for_sidecars() -> None:
    """Pods start without one in silence otherwise."""
    (cause,) = error_causes(CHECK, make_cluster(SIDECAR))
    assert cause == (
        "1 workloads want a Dapr sidecar, and the cluster has no dapr-sidecar-injector webhook: they would"
        " start without one."
    )
    assert summaries_of(CHECK, make_cluster(workload())) == []
    assert summaries_of(CHECK, make_cluster(SIDECAR, webhooks=[hook()], lists=behind())) == []


@pytest.mark.parametrize("lists", [{}, behind(ready="False"), behind(selector={"app": "other"})])
def test_injector_without_a_ready_pod_is_an_error(lists: dict[Any, Any]) -> None:
    """No Service, no ready pod, no pod that it selects."""
    (cause,) = error_causes(CHECK, make_cluster(SIDECAR, webhooks=[hook()], lists=lists))
    assert cause.startswith(
        "No pod is ready behind dapr-system/dapr-sidecar-injector, which the webhook hook calls"
    )


def test_other_webhook_without_a_pod_counts_by_its_policy() -> None:
    """One that must agree refuses everything; one that is passed over is a note."""
    other = {"clientConfig": {"service": {"namespace": "cert-manager", "name": "webhook"}}}
    required = hook("Fail", **other)
    validating = {VALIDATING_WEBHOOKS: [required]}
    assert severities_of(CHECK, make_cluster(workload(), lists=validating)) == ["error"]
    assert severities_of(CHECK, make_cluster(workload(), webhooks=[hook(**other)])) == ["note"]


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": [{"resources": ["widgets"], "operations": ["*"]}]},
        {"rules": [{"resources": ["pods"], "operations": ["DELETE"]}]},
        {"rules": [{"resources": ["*"], "operations": ["*"], "scope": "Cluster"}]},
        {"namespaceSelector": {"matchLabels": {"mesh": "yes"}}},
        {"clientConfig": {"url": "https://elsewhere.test"}},
    ],
    ids=["other kinds", "deletion", "cluster's own", "other namespaces", "outside"],
)
def test_webhook_that_does_not_concern_the_release_is_left_alone(changes: dict[str, Any]) -> None:
    """No alarm for somebody else's trouble."""
    assert summaries_of(CHECK, make_cluster(workload(), webhooks=[hook("Fail", **changes)])) == []


def test_service_without_a_selector_is_taken_on_trust() -> None:
    """Its endpoints are somebody's own."""
    service = {"metadata": SERVICE, "spec": {}}
    assert summaries_of(CHECK, make_cluster(SIDECAR, webhooks=[hook()], lists={SERVICES: [service]})) == []
