"""What others changed in an environment, seen through the API server's own record of who set what."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from todo_release import commands
from todo_release.environments import drift
from todo_release.environments.drift import Edit
from todo_release.session import Options

from ..doubles.world import ClusterDouble, World
from ..shop import Tree
from ..test_commands import world as reached  # noqa: F401  the commands reach doubles

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  template: {spec: {containers: [{name: web, image: "web:1"}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: old}
"""


def live(document: str, changes: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """An object as the server has it after somebody changed something."""
    body: dict[str, Any] = yaml.safe_load(document) | changes
    entry = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "time": "2026-11-22T12:00:00Z",
        "fieldsV1": fields,
    }
    helm = {"manager": "helm", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    return body | {"metadata": {**body["metadata"], "managedFields": [helm, entry]}}


@pytest.fixture
def access() -> Any:
    """An environment to which the manifest was deployed."""
    helm = SimpleNamespace(history=lambda release: [1], manifest=lambda release: MANIFEST)
    settings = SimpleNamespace(release="shop", namespace="staging")
    cluster = ClusterDouble()
    for document in MANIFEST.split("---\n"):
        body = yaml.safe_load(document)
        cluster.objects[f"{body['kind']}/{body['metadata']['name']}"] = body
    return SimpleNamespace(helm=helm, settings=settings, cluster=cluster)


def test_environment_as_it_was_deployed_has_no_drift(access: Any) -> None:
    """Nor has one to which nothing was deployed."""
    assert drift.look(access) == ()
    access.helm.history = lambda release: []
    access.cluster.objects.clear()
    assert drift.look(access) == ()


def test_field_set_by_hand_is_named_with_who_when_and_both_values(access: Any) -> None:
    """What the manager owns but left as deployed is none."""
    deployment, _ = MANIFEST.split("---\n")
    spec = yaml.safe_load(deployment)["spec"] | {"replicas": 5}
    access.cluster.objects["Deployment/web"] = live(
        deployment, {"spec": spec}, {"f:spec": {"f:replicas": {}, "f:template": {}}}
    )
    (edit,) = drift.look(access)
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert edit == Edit("Deployment/web", "spec.replicas", "2", "5", "kubectl-edit", at)
    assert edit.told(NOW) == "Deployment/web spec.replicas is 5 and not 2: kubectl-edit set it 2 days ago"


def test_object_that_is_gone_is_named(access: Any) -> None:
    """Nobody recorded who deleted it."""
    del access.cluster.objects["Deployment/web"]
    (edit,) = drift.look(access)
    assert edit.told(NOW) == "Deployment/web is gone"


def test_secret_values_are_never_shown(access: Any) -> None:
    """Only that somebody set it."""
    secret = MANIFEST.split("---\n")[1]
    access.cluster.objects["Secret/keys"] = live(
        secret, {"stringData": {"token": "new"}}, {"f:stringData": {"f:token": {}}}
    )
    (edit,) = drift.look(access)
    assert (edit.deployed, edit.live) == ("(hidden)", "(hidden)")


def test_command_ends_with_17_when_something_drifted(
    reached: World,  # noqa: F811  the fixture
    tree: Tree,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So a scheduled job can tell."""
    options = Options(output="lines", environ={})
    assert commands.drift(reached.root, "staging", options) == 0
    reached.edits = (Edit("Deployment/web", "spec.replicas", "2", "5", "kubectl-scale"),)
    assert commands.drift(reached.root, "staging", options) == 17
    assert "Deployment/web  spec.replicas  2         5               kubectl-scale" in capsys.readouterr().out
