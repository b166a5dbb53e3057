"""Tests that changes by others are found in the API server's own record of who set which field."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from todo_release import commands
from todo_release.environments import drift
from todo_release.environments.drift import LiveChange
from todo_release.session import CommandOptions

from ..doubles.clients import ClusterDouble
from ..doubles.harness import Harness
from ..shop import Tree
from ..test_commands import harness as reached  # noqa: F401  # a fixture: commands reach doubles

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
    """Returns an object as the server has it after somebody changed it."""
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
    newest = SimpleNamespace(number=1, status="deployed")
    helm = SimpleNamespace(newest=lambda release: newest, manifest=lambda release, revision: MANIFEST)
    settings = SimpleNamespace(release="shop", namespace="staging")
    cluster = ClusterDouble()
    for document in MANIFEST.split("---\n"):
        body = yaml.safe_load(document)
        cluster.objects[f"{body['kind']}/{body['metadata']['name']}"] = body
    return SimpleNamespace(helm=helm, settings=settings, cluster=cluster)


def test_find_drift_returns_nothing_for_an_unchanged_environment(access: Any) -> None:
    """Neither an unchanged environment nor one without a deployment has drift."""
    assert drift.find_drift(access) == ()
    access.helm.newest = lambda release: None
    access.cluster.objects.clear()
    assert drift.find_drift(access) == ()


def test_find_drift_names_a_changed_field_with_manager_time_and_values(access: Any) -> None:
    """A field that a manager owns but left as deployed is not drift."""
    deployment, _ = MANIFEST.split("---\n")
    spec = yaml.safe_load(deployment)["spec"] | {"replicas": 5}
    access.cluster.objects["Deployment/web"] = live(
        deployment, {"spec": spec}, {"f:spec": {"f:replicas": {}, "f:template": {}}}
    )
    (change,) = drift.find_drift(access)
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert change == LiveChange("Deployment/web", "spec.replicas", "2", "5", "kubectl-edit", at)
    assert (
        change.message(NOW) == "Deployment/web spec.replicas is 5 and not 2: kubectl-edit set it 2 days ago"
    )


def test_find_drift_names_a_deleted_object(access: Any) -> None:
    """A deleted object is drift without a manager, because nobody recorded who deleted it."""
    del access.cluster.objects["Deployment/web"]
    (change,) = drift.find_drift(access)
    assert change.message(NOW) == "Deployment/web is gone"


def test_find_drift_misses_nothing_of_a_revision_that_was_never_deployed(access: Any) -> None:
    """What Helm had not created when it was killed is nobody's edit."""
    access.helm.newest(access.settings.release).status = "failed"
    del access.cluster.objects["Deployment/web"]
    assert drift.find_drift(access) == ()


def test_find_drift_hides_values_of_secrets(access: Any) -> None:
    """Of a changed Secret, only the field is shown."""
    secret = MANIFEST.split("---\n")[1]
    access.cluster.objects["Secret/keys"] = live(
        secret, {"stringData": {"token": "new"}}, {"f:stringData": {"f:token": {}}}
    )
    (change,) = drift.find_drift(access)
    assert (change.deployed, change.live) == ("(hidden)", "(hidden)")


def test_drift_command_exits_with_17_when_something_drifted(
    reached: Harness,  # noqa: F811  # the fixture
    tree: Tree,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scheduled job can see drift by the exit code."""
    options = CommandOptions(output="lines", environ={})
    assert commands.drift(reached.root, "staging", options) == 0
    reached.live_changes = (LiveChange("Deployment/web", "spec.replicas", "2", "5", "kubectl-scale"),)
    assert commands.drift(reached.root, "staging", options) == 17
    assert "Deployment/web  spec.replicas  2         5               kubectl-scale" in capsys.readouterr().out
