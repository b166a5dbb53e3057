"""Rendered charts: objects, the templates they come from, and their pods."""

import re

import pytest

from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS
from todo_release.adapters.kubernetes.manifest import (
    INSTALL_HOOKS,
    RELEASE_HOOKS,
    UPGRADE_HOOKS,
    awaited_objects_of,
    check_metadata,
    leaves,
    parse_manifest,
    workloads_of,
)
from todo_release.adapters.kubernetes.objects import WorkloadRef
from todo_release.errors import HelmError

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


def test_manifest_has_all_objects_but_test_hooks() -> None:
    """Each object has the path of its template; empty documents are left out."""
    manifest = parse_manifest(TEXT)
    assert [(item.subject, item.source) for item in manifest.objects] == [
        ("Deployment/web", "templates/web/deployment.yaml"),
        ("CronJob/nightly", ""),
        ("Job/migrate", ""),
    ]
    migrate = manifest.find("Job", "migrate")
    assert migrate is not None
    assert (migrate.hooks, migrate.is_early, migrate.api_version) == (
        ("pre-install", "pre-upgrade"),
        True,
        "batch/v1",
    )
    assert manifest.find("Job", "web") is None
    assert manifest.objects[0].resource == DEPLOYMENTS


def test_workloads_of_marks_hooks() -> None:
    """Kinds without a rollout, such as CronJobs, are left out."""
    workloads = workloads_of(TEXT, "staging")
    assert workloads == [WorkloadRef("Deployment", "web"), WorkloadRef("Job", "migrate")]
    assert [workload.is_hook for workload in workloads] == [False, True]


def test_pods_are_found_at_the_path_of_each_kind() -> None:
    """Each container has its path in the object."""
    templates = list(parse_manifest(TEXT).pods())
    assert [(template.owner.name, template.has_sidecar) for template in templates] == [
        ("web", True), ("nightly", False), ("migrate", False),
    ]  # fmt: skip
    assert [(path, container["name"]) for path, container in templates[0].containers()] == [
        (("spec", "template", "spec", "initContainers", 0), "wait"),
        (("spec", "template", "spec", "containers", 0), "web"),
    ]
    assert next(templates[1].containers())[0][:2] == ("spec", "jobTemplate")


def test_leaves_are_every_scalar_with_its_path() -> None:
    """Mappings and lists are followed."""
    assert list(leaves({"a": [1, {"b": None}], "c": "x"})) == [
        (("a", 0), 1), (("a", 1, "b"), None), (("c",), "x"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rendered", "problem"),
    [
        (
            "kind: A\nmetadata: {\n",
            r"templates/web\.yaml does not render valid YAML: .* in line 3 of what it renders",
        ),
        ("kind: A\ndata: \x07\n", r"web\.yaml does not .*: control characters are not allowed in line 2"),
        ("- a\n", r"web\.yaml renders something that is not an object of Kubernetes: it is not a mapping"),
        ("kind: A\nmetadata: {name: a}\n", r"web\.yaml renders .*: it has no apiVersion"),
        ("apiVersion: v1\nkind: A\n", r"web\.yaml renders .*: it has no metadata"),
    ],
)
def test_manifest_that_cannot_be_read_names_template_and_line(rendered: str, problem: str) -> None:
    """The line counts in what the template renders, as Helm counts it."""
    text = f"---\n# Source: shop/templates/ok.yaml\n---\n# Source: shop/templates/web.yaml\n{rendered}"
    with pytest.raises(HelmError, match=problem):
        parse_manifest(text)


def test_manifest_takes_dates_and_equals_signs_as_text() -> None:
    """Both may stand in a chart without quotes."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {day: 2025-10-17, sign: =}\n"
    assert parse_manifest(text).objects[0].body["data"] == {"day": "2025-10-17", "sign": "="}


@pytest.mark.parametrize(
    ("events", "hooks", "is_kept"),
    [
        ("post-delete", RELEASE_HOOKS, False),
        ("pre-rollback,post-rollback", RELEASE_HOOKS, False),
        ("test", RELEASE_HOOKS, False),
        ("test-success", RELEASE_HOOKS, False),
        ("test,Post-Upgrade", RELEASE_HOOKS, True),
        ("pre-install", RELEASE_HOOKS, True),
        ("pre-install", UPGRADE_HOOKS, False),
        ("post-upgrade", INSTALL_HOOKS, False),
    ],
)
def test_manifest_has_the_hooks_that_run(events: str, hooks: frozenset[str], is_kept: bool) -> None:
    """A hook that never runs in a release must not stop one."""
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, annotations: {{helm.sh/hook: '{events}'}}}}\n"
    assert bool(parse_manifest(text).with_hooks(hooks).objects) is is_kept


ODD = """\
# Source: shop/templates/all.yaml
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: agent, namespace: monitoring}
- apiVersion: v1
  kind: ConfigMapList
  items: [{metadata: {name: settings}}]
---
apiVersion: v1
kind: List
items: null
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: staging}
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: migrate-, annotations: {helm.sh/hook: pre-upgrade}}
---
apiVersion: shop.example/v1
kind: Widget
metadata: {name: one}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
---
apiVersion: shop.example/v1
kind: Widget
metadata: {name: two, annotations: {helm.sh/hook: pre-upgrade}}
"""


def test_lists_stand_for_their_items() -> None:
    """Helm applies each item as if it stood alone; its template is that of the list."""
    objects = parse_manifest(ODD).objects
    assert [(item.subject, item.api_version, item.source) for item in objects][:3] == [
        ("Deployment/agent", "apps/v1", "templates/all.yaml"),
        ("ConfigMap/settings", "v1", "templates/all.yaml"),
        ("Deployment/web", "apps/v1", ""),
    ]


def test_object_without_any_name_is_an_error() -> None:
    """The sentence names the template."""
    text = "# Source: shop/templates/a.yaml\napiVersion: v1\nkind: Secret\nmetadata: {labels: {a: b}}\n"
    with pytest.raises(HelmError, match=r"templates/a.yaml renders something .*: it has no metadata.name"):
        parse_manifest(text)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ("{name: off}", "metadata.name of ConfigMap/False as false"),
        ("{name: a, labels: {version: 1.0}}", "metadata.labels.version of ConfigMap/a as 1"),
        ("{name: a, annotations: {a/b: true}}", "metadata.annotations.a/b of ConfigMap/a as true"),
    ],
)
def test_metadata_that_is_no_text_is_named_with_its_template(metadata: str, problem: str) -> None:
    """Numbers and booleans without quotes are the most frequent mistake in labels."""
    text = f"# Source: shop/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\n"
    with pytest.raises(HelmError, match=rf"templates/a.yaml renders {re.escape(problem)}, which is no text"):
        check_metadata(text)


def test_texts_in_metadata_are_accepted() -> None:
    """Owners and generations have other types, and nothing counts as an empty text."""
    meta = '{name: "off", labels: {a: "1", b: }, generation: 1, ownerReferences: [{controller: true}]}'
    check_metadata(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {meta}\n")


def test_workloads_have_their_namespace_and_hooks_may_have_no_name() -> None:
    """The release's own namespace is not repeated."""
    agent, web, migrate = workloads_of(ODD, "staging")
    assert [str(ref) for ref in (agent, web, migrate)] == [
        "Deployment/agent -n monitoring", "Deployment/web", "Job/migrate-",
    ]  # fmt: skip
    assert (migrate.is_hook, migrate.is_name_generated) == (True, True)


def test_rollout_waits_for_custom_resources_too() -> None:
    """Kinds of Kubernetes that are not workloads, and hooks, are not waited for."""
    custom = [(ref.kind, ref.name, ref.api_version) for ref in awaited_objects_of(ODD, "staging")[3:]]
    assert custom == [
        ("Widget", "one", "shop.example/v1"),
        ("HTTPRoute", "web", "gateway.networking.k8s.io/v1"),
    ]
