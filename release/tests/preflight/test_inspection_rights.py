"""An inspection goes on where the cluster forbids or lacks something, and says what it could not read."""

import pytest

from todo_release.errors import ClusterError
from todo_release.preflight.finding import Severity

from .inspected_shop import PATH_NOTE, STAGING, InspectedShop, summaries_of


def test_forbidden_list_is_only_a_note(shop: InspectedShop) -> None:
    """An account that may not read webhooks can still release."""
    shop.api.refused["apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"] = 403
    shop.api.refused["api/v1/nodes"] = 403
    shop.api.refused["api/v1/services"] = 403
    inspection = shop.inspect()
    assert inspection.errors == ()
    assert inspection.nodes is None
    unread = {cause.partition(": ")[2] for _, _, cause in summaries_of(inspection) if "checked:" in cause}
    assert unread == {
        "mutatingwebhookconfigurations.admissionregistration.k8s.io may not be read (403).",
        "services of other namespaces may not be listed.",
        "nodes may not be read (403).",
    }


def test_forbidden_discovery_namespace_metrics_and_secrets_are_notes(shop: InspectedShop) -> None:
    """Nothing that is forbidden becomes an error."""
    for path in ("api", "apis", "version", STAGING, "apis/metrics.k8s.io/v1beta1", f"{STAGING}/secrets"):
        shop.api.refused[path] = 403
    inspection = shop.inspect()
    assert inspection.errors == ()
    assert {finding.severity for finding in inspection.findings} == {Severity.NOTE}


def test_server_without_aggregated_discovery_is_a_note(shop: InspectedShop) -> None:
    """Before Kubernetes 1.27 discovery has another form."""
    for root in ("api", "apis"):
        shop.api.objects[root] = {"kind": "APIGroupList", "groups": []}
    (unread,) = [finding.cause for finding in shop.inspect().findings if finding.check == "api-versions"]
    assert unread.endswith("the API server does not list what it serves (needs Kubernetes 1.27).")


def test_damaged_records_are_no_finding(shop: InspectedShop) -> None:
    """The release itself stops at damaged records and reports them."""
    labels = {"owner": "helm", "name": "shop-staging", "status": "deployed", "version": "1"}
    body = {
        "metadata": {"name": "sh.helm.release.v1.shop-staging.v1", "labels": labels},
        "data": {"release": "odd"},
    }
    shop.api.put(
        f"{STAGING}/secrets/sh.helm.release.v1.shop-staging.v1", body | {"type": "helm.sh/release.v1"}
    )
    records = {"metadata": {"name": "shop-staging-releases"}, "data": {"000001": "odd"}}
    shop.api.put(f"{STAGING}/configmaps/shop-staging-releases", records)
    assert summaries_of(shop.inspect()) == [("note", "probes", PATH_NOTE)]


def test_list_that_fails_in_the_cluster_and_the_namespace_is_a_note(shop: InspectedShop) -> None:
    """The note has the reason of the second failure."""
    shop.api.refused["api/v1/services"] = 403
    shop.api.refused[f"{STAGING}/services"] = 500
    assert any("services could not be read (500)" in cause for _, _, cause in summaries_of(shop.inspect()))


def test_unknown_credentials_end_the_inspection(shop: InspectedShop) -> None:
    """Without accepted credentials nothing can be read."""
    shop.api.refusal = 401
    with pytest.raises(ClusterError, match="401"):
        shop.inspect()
