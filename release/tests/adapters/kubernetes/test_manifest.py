"""A rendered chart read back: objects, their templates, their pods."""

from todo_release.adapters.kubernetes.manifest import leaves, parse

TEXT = """\
---
# Source: shop/templates/web/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}, annotations: {dapr.io/enabled: "true"}}
    spec:
      initContainers: [{name: wait}]
      containers: [{name: web}]
---
# Source: shop/templates/empty.yaml
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: job}]}}}}}
---
# Source: shop/templates/tests/web.yaml
apiVersion: v1
kind: Pod
metadata: {name: try, annotations: {helm.sh/hook: test}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {"helm.sh/hook": "pre-install, pre-upgrade"}}
spec: {template: {spec: {containers: [{name: migrate}]}}}
"""


def test_manifest_has_every_object_but_test_hooks_with_its_template() -> None:
    """Empty documents are none."""
    found = parse(TEXT)
    assert [(one.subject, one.source) for one in found.objects] == [
        ("Deployment/web", "templates/web/deployment.yaml"),
        ("CronJob/nightly", ""),
        ("Job/migrate", ""),
    ]
    migrate = found.find("Job", "migrate")
    assert migrate is not None
    assert (migrate.hooks, migrate.is_early, migrate.api_version) == (
        ("pre-install", "pre-upgrade"),
        True,
        "batch/v1",
    )
    assert found.find("Job", "web") is None


def test_pods_are_found_wherever_a_kind_keeps_their_template() -> None:
    """With the field of every container."""
    templates = list(parse(TEXT).pods())
    assert [(one.owner.name, one.has_sidecar) for one in templates] == [
        ("web", True), ("nightly", False), ("migrate", False),
    ]  # fmt: skip
    assert [(path, one["name"]) for path, one in templates[0].containers()] == [
        (("spec", "template", "spec", "initContainers", 0), "wait"),
        (("spec", "template", "spec", "containers", 0), "web"),
    ]
    assert next(templates[1].containers())[0][:2] == ("spec", "jobTemplate")


def test_leaves_are_every_scalar_with_its_path() -> None:
    """Through mappings and lists."""
    assert list(leaves({"a": [1, {"b": None}], "c": "x"})) == [
        (("a", 0), 1), (("a", 1, "b"), None), (("c",), "x"),
    ]  # fmt: skip
