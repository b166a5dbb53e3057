"""Several who release, one after the other and at the same time, and hands that change things beside them."""

import re
from pathlib import Path

import pytest

from .running import tells
from .shopkeeper import Shop

SLOW = {"web": {"container": {"readinessProbe": {"initialDelaySeconds": 15}}}}


@pytest.fixture(scope="module")
def released(shop: Shop) -> Shop:
    """The first version runs in both environments."""
    shop.run("release", f"--version={shop.next_version()}")
    return shop


def test_finished_release_again_writes_nothing(released: Shop) -> None:
    """Not one object in the namespaces, tag in the registry or ref of the remote is another one after it."""
    version = released.history("production")[-1]["app_version"]
    before = released.versions_of_everything()
    run = released.run("release", f"--version={version}")
    assert run.done == []
    assert released.versions_of_everything() == before
    kinds = {name.partition("/")[0] for name in before}
    assert {f"staging {kind}" for kind in ("ConfigMap", "Deployment", "Lease", "Pod", "Secret")} <= kinds


def test_second_release_waits_and_says_for_whom(released: Shop, tmp_path: Path) -> None:
    """Two clones, two versions: the later one goes to staging when the earlier one was verified there."""
    shop, first, second = released, released.next_version(), released.next_version()
    shop.configure("staging", SLOW)
    slow = shop.start("release", f"--version={first}", "--to=staging")
    slow.until(tells("step-started", "deploy:staging"))
    other = shop.another_clone(tmp_path / "other")
    other.configure("staging", {})
    other.change("web", "second")
    waiting = other.start("release", f"--version={second}", "--to=staging")
    told = waiting.until(tells("step-spoke", "deploy:staging", "waiting: "))
    assert re.match(rf"waiting: Rita <rita@example.com> on \S+ releases {first} since 20", told["text"])
    impatient = shop.another_clone(tmp_path / "impatient")
    refused = impatient.run("deploy", "--env=staging", "--version=0.1.0", "--no-wait", code=10)
    assert "is taken: Rita <rita@example.com> on" in refused.failure["problem"]
    assert f"releases {first} since" in refused.failure["problem"]
    assert (slow.code(), waiting.code()) == (0, 0)
    verified_at = slow.until(tells("step-ended", "verify:staging"))["at"]
    assert waiting.until(tells("step-spoke", "deploy:staging", "ready"))["at"] > verified_at
    assert [one["app_version"] for one in shop.history("staging")[-2:]] == [first, second]
    shop.wait_for_page("staging", "second")
    shop.git("pull", "--quiet", "origin", "main")


def test_same_version_from_two_clones_is_released_once(released: Shop, tmp_path: Path) -> None:
    """One of two that start at the same moment wins; the other is told, and nothing is there twice."""
    shop, version = released, released.next_version()
    shop.configure("staging", {})
    shop.change("web", "twice")
    shop.git("push", "--quiet", "origin", "main")
    before = shop.git("rev-parse", "HEAD")
    other = shop.another_clone(tmp_path / "other")
    runs = [each.start("release", f"--version={version}", "--to=staging") for each in (shop, other)]
    codes = sorted(run.code() for run in runs)
    assert codes[0] == 0
    assert codes[1] in {
        3,
        4,
        7,
    }  # as the version, the remote or the registry refused
    winner = next(clone for clone, run in zip((shop, other), runs, strict=True) if run.code() == 0)
    commit = winner.git("rev-parse", f"v{version}^{{commit}}")
    assert winner.git("log", "--format=%s", f"{before}..{commit}") == f"release: {version}."
    assert winner.git("ls-remote", "origin", "main").split()[0] == commit
    assert [one["status"] for one in shop.history("staging") if one["app_version"] == version] == ["deployed"]
    shop.wait_for_page("staging", "twice")
    # What the message told whoever lost: forget the own commit and tag, and take those of the remote.
    for clone in (shop, other):
        clone.git("fetch", "--quiet", "--tags", "--force", "origin")
        clone.git("reset", "--quiet", "--hard", "origin/main")
        assert clone.run("release", f"--version={version}", "--to=staging").done == []


def edit_by_hand(shop: Shop) -> None:
    """What people do to a cluster at night."""
    target, api = f"--namespace={shop.namespace('staging')}", shop.container("staging", "api")["image"]
    web = shop.workload("staging", "web")
    shop.kubectl("set", "image", web, f"web={api}", target)
    shop.kubectl("scale", web, "--replicas=3", target)
    shop.kubectl("set", "env", shop.workload("staging", "api"), "GREETING=by hand", target)
    redirect = "nginx.ingress.kubernetes.io/ssl-redirect=true"
    shop.kubectl("annotate", "ingress", shop.namespace("staging"), redirect, "--overwrite", target)


def assert_as_the_chart_says(shop: Shop) -> None:
    """Nothing of `edit_by_hand` is left."""
    web, api = (shop.container("staging", service) for service in ("web", "api"))
    assert re.search(r"/web@sha256:", web["image"])
    assert "shop.test/mark" not in str(shop.objects("staging", "deployments"))
    assert {one["name"]: one["value"] for one in api["env"]}["GREETING"] == "hello"
    assert [one["spec"]["replicas"] for one in shop.objects("staging", "deployments")] == [1, 1]
    (ingress,) = shop.objects("staging", "ingresses")
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/ssl-redirect"] == "false"


@pytest.mark.parametrize("before", ["Helm 3", "Helm 4"])
@pytest.mark.parametrize("after", ["Helm 3", "Helm 4"])
def test_release_goes_through_whatever_hands_have_changed(
    released: Shop, helm_4: Path, before: str, after: str
) -> None:
    """After edits by hand the result is what the chart says, whichever Helm released before and does now."""
    shops = {"Helm 3": released, "Helm 4": released.with_helm(helm_4)}
    mark = {"metadata": {"annotations": {"shop.test/mark": "of the chart before"}}}
    released.configure("staging", {"web": {"deployment": {"template": mark}}})
    shops[before].run("release", f"--version={released.next_version()}", "--to=staging")
    edit_by_hand(released)
    released.configure("staging", {})
    released.change("web", f"{before} before {after}")
    shops[after].run("release", f"--version={released.next_version()}", "--to=staging")
    assert_as_the_chart_says(released)
    released.wait_for_page("staging", f"{before} before {after}")


@pytest.mark.parametrize("program", ["Helm 3", "Helm 4"])
def test_rollback_of_a_doomed_version_takes_back_what_hands_have_changed(
    released: Shop, helm_4: Path, program: str
) -> None:
    """What was edited before the release does not keep the rollback from restoring the earlier version."""
    shop = released.with_helm(helm_4) if program == "Helm 4" else released
    shop.configure("staging", {})
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    edit_by_hand(shop)
    shop.configure("staging", {"web": {"container": {"command": ["false"]}}})
    shop.run("release", f"--version={shop.next_version()}", "--to=staging", code=26)
    assert_as_the_chart_says(shop)
