"""Releases and rollbacks after manual changes in the cluster, with Helm 3 and Helm 4."""

import re
from pathlib import Path

import pytest

from .shop_clone import ShopClone


@pytest.fixture(scope="module")
def released(shop: ShopClone) -> ShopClone:
    """The first version runs in staging."""
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    return shop


def change_manually(shop: ShopClone) -> None:
    """Changes image, replicas, environment and annotations with kubectl, as people do in an emergency."""
    target, api = f"--namespace={shop.namespace('staging')}", shop.container("staging", "api")["image"]
    web = shop.workload("staging", "web")
    shop.kubectl("set", "image", web, f"web={api}", target)
    shop.kubectl("scale", web, "--replicas=3", target)
    shop.kubectl("set", "env", shop.workload("staging", "api"), "GREETING=by hand", target)
    redirect = "nginx.ingress.kubernetes.io/ssl-redirect=true"
    shop.kubectl("annotate", "ingress", shop.namespace("staging"), redirect, "--overwrite", target)


def assert_matches_the_chart(shop: ShopClone) -> None:
    """Checks that no change of `change_manually` is left."""
    web, api = (shop.container("staging", service) for service in ("web", "api"))
    assert re.search(r"/web@sha256:", web["image"])
    assert "shop.test/mark" not in str(shop.objects("staging", "deployments"))  # of the version before
    assert {variable["name"]: variable.get("value") for variable in api["env"]}["GREETING"] == "hello"
    deployments = shop.objects("staging", "deployments")
    assert [deployment["spec"]["replicas"] for deployment in deployments] == [1, 1]
    (ingress,) = shop.objects("staging", "ingresses")
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/ssl-redirect"] == "false"


@pytest.mark.parametrize("before", ["Helm 3", "Helm 4"])
@pytest.mark.parametrize("after", ["Helm 3", "Helm 4"])
def test_release_overwrites_manual_changes(
    released: ShopClone, helm_4: Path, before: str, after: str
) -> None:
    """With `--yes` alone a release stops and lists the changes; told to, it restores what the chart says.

    It does so whichever Helm made this release and the one before.
    """
    shops = {"Helm 3": released, "Helm 4": released.with_helm(helm_4)}
    mark = {"metadata": {"annotations": {"shop.test/mark": "of the chart before"}}}
    released.configure("staging", {"web": {"deployment": {"template": mark}}})
    shops[before].run("release", f"--version={released.next_version()}", "--to=staging")
    change_manually(released)
    released.configure("staging", {})
    released.change("web", f"{before} before {after}")
    release = ("release", f"--version={released.next_version()}", "--to=staging")
    refused = shops[after].run(*release, exit_code=12)
    assert "made by hand in staging would be overwritten, and nobody agreed" in refused.failure["problem"]
    shops[after].run(*release, "--overwrite-edits")
    assert_matches_the_chart(released)
    released.wait_for_page("staging", f"{before} before {after}")


@pytest.mark.parametrize("program", ["Helm 3", "Helm 4"])
def test_rollback_of_a_failed_version_overwrites_manual_changes(
    released: ShopClone, helm_4: Path, program: str
) -> None:
    """Manual changes before the release do not prevent the rollback from restoring the earlier version."""
    shop = released.with_helm(helm_4) if program == "Helm 4" else released
    shop.configure("staging", {})
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    change_manually(shop)
    shop.configure("staging", {"web": {"container": {"command": ["false"]}}})
    release = ("release", f"--version={shop.next_version()}", "--to=staging", "--overwrite-edits")
    shop.run(*release, exit_code=26)
    assert_matches_the_chart(shop)
