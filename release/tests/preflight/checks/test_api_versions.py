"""Whether the cluster accepts the API versions of the chart, and whether required webhooks are available."""

from typing import Any

import pytest

from todo_release.adapters.helm.definitions import Definition
from todo_release.adapters.kubernetes.api_resources import (
    MUTATING_WEBHOOKS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
)
from todo_release.adapters.kubernetes.discovery import ServedResource
from todo_release.preflight.checks.api_versions import CHECK
from todo_release.preflight.finding import Severity
from todo_release.preflight.snapshot import PreflightSnapshot

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
    """Returns a cluster that serves four kinds and has these mutating webhooks."""
    lists = {MUTATING_WEBHOOKS: webhooks or [], **rest.pop("lists", {})}
    return make_snapshot(*objects, lists=lists, live={"served": SERVED, **rest.pop("live", {})}, **rest)


def any_object(api_version: str, kind: str) -> dict[str, Any]:
    """Returns an object of any kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}


def definition(kind: str = "Widget") -> dict[str, Any]:
    """Returns a definition of shop.test/v1."""
    spec = {"group": "shop.test", "names": {"kind": kind}, "versions": [{"name": "v1", "served": True}]}
    return {**any_object("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "spec": spec}


SERVES_DEFINITIONS = {
    "served": [
        *SERVED,
        ServedResource(
            api_version="apiextensions.k8s.io/v1",
            kind="CustomResourceDefinition",
            plural="customresourcedefinitions",
            is_namespaced=False,
        ),
    ]
}
WIDGET = any_object("shop.test/v1", "Widget")


def test_served_kinds_are_no_finding() -> None:
    """A kind that the cluster serves needs nothing."""
    assert error_causes(CHECK, make_cluster(workload(), any_object("batch/v1", "CronJob"))) == []


def test_kind_of_the_crds_folder_is_a_note_at_the_first_install_and_then_an_error() -> None:
    """Helm applies `crds/` only once, so an upgrade must find the definition in the cluster."""
    chart = (Definition(definition(), "crds/widgets.yaml"),)
    (first,) = findings_of(CHECK, make_cluster(WIDGET, definitions=chart))
    assert (first.severity, "crds/widgets.yaml" in first.cause) == (Severity.NOTE, True)
    (later,) = findings_of(CHECK, make_cluster(WIDGET, definitions=chart, live={"is_installed": True}))
    assert (later.severity, "only when a release is first installed" in later.cause) == (Severity.ERROR, True)
    other = (Definition(definition("Gadget"), "crds/gadgets.yaml"),)
    assert error_causes(CHECK, make_cluster(WIDGET, definitions=other)) == [
        "The cluster serves no shop.test/v1 Widget."
    ]


def test_kind_that_a_template_defines_comes_too_late() -> None:
    """Helm looks up every kind before it applies the template; a hook runs after that."""
    (cause,) = error_causes(CHECK, make_cluster(definition(), WIDGET, live=SERVES_DEFINITIONS))
    assert "Helm looks up every kind before" in cause
    hook = WIDGET | {"metadata": {"name": "x", "annotations": {"helm.sh/hook": "post-install"}}}
    assert error_causes(CHECK, make_cluster(definition(), hook, live=SERVES_DEFINITIONS)) == []


@pytest.mark.parametrize(
    ("api_version", "kind", "remedy"),
    [
        (
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            (
                "Install the CustomResourceDefinitions of monitoring.coreos.com, or switch the object off in "
                "the values."
            ),
        ),
        ("batch/v2", "CronJob", "Write apiVersion batch/v1beta1."),
        ("policy/v1beta1", "PodDisruptionBudget", "Write apiVersion policy/v1."),
        ("v2", "Pod", "Write apiVersion v1."),
    ],
)
def test_kind_that_is_not_served_is_one_error_with_a_remedy(api_version: str, kind: str, remedy: str) -> None:
    """The remedy names the missing definitions, another version, or the replacement of a removed one."""
    (finding,) = findings_of(
        CHECK, make_cluster(any_object(api_version, kind), any_object(api_version, kind))
    )
    assert (finding.severity.value, finding.cause, finding.remedy) == (
        "error",
        f"The cluster serves no {api_version} {kind}.",
        remedy,
    )


def test_version_that_newer_clusters_do_not_serve_is_a_warning() -> None:
    """A version that a later Kubernetes removed is a warning, if the cluster's own version is known."""
    (finding,) = findings_of(CHECK, make_cluster(any_object("batch/v1beta1", "CronJob")))
    assert (finding.severity.value, finding.cause) == (
        "warning",
        "Kubernetes 1.25 no longer serves batch/v1beta1 CronJob; this cluster (1.34) still does.",
    )
    assert (
        summaries_of(CHECK, make_cluster(any_object("batch/v1beta1", "CronJob"), live={"version": None}))
        == []
    )


def test_unread_api_resources_are_a_note() -> None:
    """Without the list of served resources the check reports only a note."""
    assert severities_of(CHECK, make_cluster(workload(), live={"served": ()})) == ["note"]


SIDECAR = workload(annotations={"dapr.io/enabled": "true"})
SERVICE = {"namespace": "dapr-system", "name": "dapr-sidecar-injector"}


def webhook(policy: str = "Ignore", **rest: Any) -> dict[str, Any]:
    """Returns a webhook for new pods."""
    rules = [{"resources": ["pods"], "operations": ["CREATE"]}]
    return {
        "metadata": {"name": "hook"},
        "webhooks": [{"clientConfig": {"service": SERVICE}, "failurePolicy": policy, "rules": rules, **rest}],
    }


def service_with_pod(*, ready: str = "True", selector: dict[str, str] | None = None) -> dict[Any, Any]:
    """Returns the webhook's Service and one pod with the label app=injector."""
    pod = {
        "metadata": {"namespace": "dapr-system", "name": "p", "labels": {"app": "injector"}},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }
    return {
        SERVICES: [{"metadata": SERVICE, "spec": {"selector": selector or {"app": "injector"}}}],
        PODS: [pod],
    }


def test_sidecars_without_an_injector_webhook_are_an_error() -> None:
    """Pods that want a sidecar need the injector's webhook, because they would silently start without one."""
    (cause,) = error_causes(CHECK, make_cluster(SIDECAR))
    assert cause == (
        "1 workloads want a Dapr sidecar, and the cluster has no dapr-sidecar-injector webhook: they would"
        " start without one."
    )
    assert summaries_of(CHECK, make_cluster(workload())) == []
    assert summaries_of(CHECK, make_cluster(SIDECAR, webhooks=[webhook()], lists=service_with_pod())) == []


@pytest.mark.parametrize(
    "lists", [{}, service_with_pod(ready="False"), service_with_pod(selector={"app": "other"})]
)
def test_injector_without_a_ready_pod_is_an_error(lists: dict[Any, Any]) -> None:
    """The injector needs a Service that selects at least one ready pod."""
    (cause,) = error_causes(CHECK, make_cluster(SIDECAR, webhooks=[webhook()], lists=lists))
    assert cause.startswith(
        "No pod is ready behind dapr-system/dapr-sidecar-injector, which the webhook hook calls"
    )


def test_unavailable_webhook_counts_by_its_failure_policy() -> None:
    """A webhook without a ready pod is an error with failurePolicy Fail and a note with Ignore."""
    other = {"clientConfig": {"service": {"namespace": "cert-manager", "name": "webhook"}}}
    required = webhook("Fail", **other)
    validating = {VALIDATING_WEBHOOKS: [required]}
    assert severities_of(CHECK, make_cluster(workload(), lists=validating)) == ["error"]
    assert severities_of(CHECK, make_cluster(workload(), webhooks=[webhook(**other)])) == ["note"]


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
def test_webhook_that_does_not_concern_the_release_is_no_finding(changes: dict[str, Any]) -> None:
    """Webhooks for other kinds, operations, scopes, namespaces or servers are ignored."""
    assert summaries_of(CHECK, make_cluster(workload(), webhooks=[webhook("Fail", **changes)])) == []


def test_webhook_service_without_a_selector_is_assumed_to_work() -> None:
    """A Service without a selector has endpoints that are managed elsewhere."""
    service = {"metadata": SERVICE, "spec": {}}
    assert summaries_of(CHECK, make_cluster(SIDECAR, webhooks=[webhook()], lists={SERVICES: [service]})) == []
