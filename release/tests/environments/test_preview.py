"""The preview of a plan, rendered by the real Helm."""

import pytest
import yaml

from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import RefusedError
from todo_release.errors import HelmError
from todo_release.pipeline.steps import Deploy

from ..doubles.world import World
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
def world(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> World:
    """The shop with a template; history is kept in memory, rendering is real."""
    tree.commit("template", {"chart/templates/web.yaml": TEMPLATE})
    made = World(tree.path)
    for name, double in made.helm.items():
        real = Helm(None, name, cluster=made.session.context.reach(name).cluster)
        monkeypatch.setattr(double, "template", real.template, raising=False)
    return made


def changes(world: World, version: str) -> dict[str, tuple[str, ...]]:
    """What the plan of a version says it will change, by environment."""
    steps = world.session.release(version).steps
    return {step.environment: step.changes for step in steps if isinstance(step, Deploy)}


def test_first_plan_shows_every_object_but_hooks(world: World) -> None:
    """Nothing is there yet, and images that are not built cannot be named."""
    assert changes(world, "0.1.0") == {
        "staging": ("+ Deployment/shop-staging-web",),
        "production": ("+ Deployment/shop-web",),
    }


def test_later_plan_shows_what_differs_with_what_is_to_be_built(
    world: World, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edits of the release are in the preview although nothing is committed; a finished one has none."""
    deployed = TEMPLATE.partition("---")[0].replace("{{ .Release.Name }}", "shop-staging")
    world.release("0.1.0")
    digest = world.records("staging").read()[0].digests["web"]
    for value, text in (
        (".Chart.AppVersion", "0.1.0"),
        (".Values.host", "staging.example.com"),
        (".Values.web.image.repository", "registry.test/shop/web"),
        (".Values.web.image.digest", digest),
    ):
        deployed = deployed.replace(f"{{{{ {value} }}}}", text)
    monkeypatch.setattr(
        world.helm["staging"], "manifest", lambda release, revision=None: deployed, raising=False
    )
    world.cluster.objects["Deployment/shop-staging-web"] = yaml.safe_load(deployed)
    assert changes(world, "0.1.0")["staging"] == ()
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    image = "registry.test/shop/web"
    assert changes(world, "0.2.0")["staging"] == (
        f"~ Deployment/shop-staging-web: spec.image: {image}@{digest[:19]} -> {image}@(to be built)",
    )


def test_plan_shows_an_edit_by_hand_that_goes(world: World) -> None:
    """What the server would change counts, not what the chart changed."""
    world.cluster.objects["Deployment/shop-staging-web"] = {
        "kind": "Deployment",
        "metadata": {"name": "shop-staging-web", "resourceVersion": "7"},
        "spec": {"host": "by-hand.example.com", "kept": "theirs"},
        "status": {"ready": 1},
    }
    lines = changes(world, "0.1.0")["staging"]
    assert "~ Deployment/shop-staging-web: spec.host: by-hand.example.com -> staging.example.com" in lines
    assert not [line for line in lines if "kept" in line or "status" in line or "resourceVersion" in line]


def test_object_that_the_server_refuses_is_a_refusal(world: World) -> None:
    """Known before anything is built; a namespace that is not there yet is none."""
    world.cluster.refusal = RefusedError("It is immutable.", remedy="Rename it.", status=422)
    assert {type(one) for one in world.session.release("0.1.0").refusals} == {RefusedError}
    world.cluster.refusal = RefusedError("No namespace.", remedy="Make it.", status=404)
    assert changes(world, "0.1.0")["staging"] == ("+ Deployment/shop-staging-web",)


def test_chart_that_cannot_be_rendered_is_refused_before_anything_is_built(world: World, tree: Tree) -> None:
    """Helm's own words, at the plan and not after ten minutes of building."""
    tree.commit("template: Break.", {"chart/templates/web.yaml": "{{ .Values.web.image.nothing.at.all }}\n"})
    plan = world.session.release("0.1.0")
    assert {type(refusal) for refusal in plan.refusals} == {HelmError}
    assert world.engine.built == []
