"""Tests the preview of a plan, rendered by the real Helm."""

from pathlib import Path

import pytest
import yaml

from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import ApiRefusedError, Cluster
from todo_release.errors import HelmError
from todo_release.pipeline.steps import Deploy

from ..doubles.harness import Harness
from ..doubles.kubernetes_api import ApiDouble
from ..shop import Tree

TEMPLATE = """\
kind: Deployment
apiVersion: apps/v1
metadata: {name: {{ .Release.Name }}-web, labels: {app.kubernetes.io/version: {{ .Chart.AppVersion }}}}
spec: {host: {{ .Values.host }}, image: {{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}}
---
kind: Job
apiVersion: batch/v1
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
"""


@pytest.fixture
def harness(tree: Tree, monkeypatch: pytest.MonkeyPatch, api: ApiDouble, tmp_path: Path) -> Harness:
    """The shop with a template; Helm's history is kept in memory, it renders for real without a cluster."""
    api.refusal = 403
    tree.commit("template", {"chart/templates/web.yaml": TEMPLATE})
    built = Harness(tree.path)
    for name, double in built.helm.items():
        real = Helm(None, name, cluster=Cluster.connect("here", api.kubeconfig(tmp_path)))
        monkeypatch.setattr(double, "template", real.template, raising=False)
    return built


def changes(harness: Harness, version: str) -> dict[str, tuple[str, ...]]:
    """Returns the changes that the plan of a version announces, by environment."""
    steps = harness.session.plan_release(version).steps
    return {step.environment: step.changes for step in steps if isinstance(step, Deploy)}


def test_preview_of_a_first_release_shows_every_object_but_hooks(harness: Harness) -> None:
    """Every object of the chart is new, except hooks, which Helm does not list."""
    assert changes(harness, "0.1.0") == {
        "staging": ("+ Deployment/shop-staging-web",),
        "production": ("+ Deployment/shop-web",),
    }


def test_preview_of_a_later_release_shows_changes_and_unbuilt_images(
    harness: Harness, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished release changes nothing; the next one shows its edits although nothing is committed."""
    deployed = TEMPLATE.partition("---")[0].replace("{{ .Release.Name }}", "shop-staging")
    harness.release("0.1.0")
    digest = harness.records("staging").read()[0].digests["web"]
    for value, text in (
        (".Chart.AppVersion", "0.1.0"),
        (".Values.host", "staging.example.com"),
        (".Values.web.image.repository", "registry.test/shop/web"),
        (".Values.web.image.digest", digest),
    ):
        deployed = deployed.replace(f"{{{{ {value} }}}}", text)
    monkeypatch.setattr(
        harness.helm["staging"], "manifest", lambda release, revision=None: deployed, raising=False
    )
    harness.cluster.objects["Deployment/shop-staging-web"] = yaml.safe_load(deployed)
    assert changes(harness, "0.1.0")["staging"] == ()
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    image = "registry.test/shop/web"
    assert changes(harness, "0.2.0")["staging"] == (
        f"~ Deployment/shop-staging-web: spec.image: {image}@{digest[:19]} -> {image}@(to be built)",
    )


def test_preview_shows_an_edit_by_hand_that_is_reverted(harness: Harness) -> None:
    """What the server would change is shown, also where the chart did not change."""
    harness.cluster.objects["Deployment/shop-staging-web"] = {
        "kind": "Deployment",
        "metadata": {"name": "shop-staging-web", "resourceVersion": "7"},
        "spec": {"host": "by-hand.example.com", "kept": "theirs"},
        "status": {"ready": 1},
    }
    lines = changes(harness, "0.1.0")["staging"]
    assert "~ Deployment/shop-staging-web: spec.host: by-hand.example.com -> staging.example.com" in lines
    assert not [line for line in lines if "kept" in line or "status" in line or "resourceVersion" in line]


def test_preview_refuses_an_object_that_the_server_refuses(harness: Harness) -> None:
    """A refused object is a finding of preflight; a namespace that does not exist yet is none."""
    harness.cluster.refusal = ApiRefusedError("It is immutable.", remedy="Rename it.", status=422)
    refusals = harness.session.plan_release("0.1.0").refusals
    assert {refusal.code for refusal in refusals} == {15}
    assert [refusal.problem for refusal in refusals] == [
        f"1 thing would fail in {environment}:\n  release-state: Deployment/{release}-web: "
        "It changes what Kubernetes lets nobody change: It is immutable."
        for environment, release in (("staging", "shop-staging"), ("production", "shop"))
    ]
    assert "docs/runbooks/preflight-release-state.md" in refusals[0].remedy
    harness.cluster.refusal = ApiRefusedError("It may not be patched.", remedy="Ask.", status=403)
    assert {type(refusal) for refusal in harness.session.plan_release("0.1.0").refusals} == {ApiRefusedError}
    harness.cluster.refusal = ApiRefusedError("No namespace.", remedy="Make it.", status=404)
    assert changes(harness, "0.1.0")["staging"] == ("+ Deployment/shop-staging-web",)


def test_preview_refuses_a_chart_that_cannot_be_rendered(harness: Harness, tree: Tree) -> None:
    """Helm's error is a refusal of the plan, before anything is built."""
    tree.commit("template: Break.", {"chart/templates/web.yaml": "{{ .Values.web.image.nothing.at.all }}\n"})
    plan = harness.session.plan_release("0.1.0")
    assert {type(refusal) for refusal in plan.refusals} == {HelmError}
    assert harness.engine.built == []


WIDGETS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.shop.example}
spec: {group: shop.example, names: {kind: Widget}, versions: [{name: v1, served: true}]}
"""
WIDGET = "apiVersion: shop.example/v1\nkind: Widget\nmetadata: {name: main}\n"


def test_preview_of_a_chart_with_own_definitions(harness: Harness, tree: Tree) -> None:
    """Helm creates definitions at the first install and never changes them; the plan says both."""
    tree.commit("widgets", {"chart/crds/widgets.yaml": WIDGETS, "chart/templates/widget.yaml": WIDGET})
    subject = "CustomResourceDefinition/widgets.shop.example"
    harness.cluster.unknown_kinds = {"Widget"}
    assert changes(harness, "0.1.0")["staging"][:1] == (f"+ {subject}",)
    assert (
        "+ Widget/main (cannot be checked before its definition exists)"
        in changes(harness, "0.1.0")["staging"]
    )
    harness.release("0.1.0")
    (line,) = [line for line in changes(harness, "0.2.0")["staging"] if subject in line]
    assert line.startswith(
        f"= {subject}: missing, and Helm creates what is in crds/ only at the first install"
    )
    harness.cluster.objects[subject] = yaml.safe_load(WIDGETS)
    assert not [line for line in changes(harness, "0.2.0")["staging"] if subject in line]
    harness.cluster.objects[subject]["spec"]["names"]["kind"] = "Gadget"
    (line,) = [line for line in changes(harness, "0.2.0")["staging"] if subject in line]
    assert "CRDs in crds/ are never upgraded by Helm" in line


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        ("keep", "= ConfigMap/old: no longer in the chart; it stays, as its helm.sh/resource-policy says"),
        ("delete", "- ConfigMap/old"),
    ],
)
def test_preview_says_which_objects_stay(harness: Harness, policy: str, line: str) -> None:
    """Helm does not delete what its annotation tells it to keep."""
    harness.release("0.1.0")
    old = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "old", "annotations": {"helm.sh/resource-policy": policy}},
    }
    harness.helm["staging"].objects = f"---\n{yaml.safe_dump(old)}"
    harness.cluster.objects["ConfigMap/old"] = old
    assert line in changes(harness, "0.2.0")["staging"]
