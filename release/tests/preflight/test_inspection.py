"""Whole inspections: a real chart, rendered by the real Helm, against a double of the API server."""

import base64
import gzip
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from todo_release.adapters.git import Repository
from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.registry.auth import RegistryDeniedError
from todo_release.adapters.registry.client import ImageNotFoundError
from todo_release.adapters.registry.credentials import Credentials
from todo_release.config.loader import load
from todo_release.config.model import RegistrySettings
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.history import RecordStore
from todo_release.errors import ClusterError, HelmError, RegistryError
from todo_release.preflight.finding import Severity
from todo_release.preflight.inspection import Inspection, LookupSources, inspect
from todo_release.preflight.rendering import ChartRenderer

from ..doubles.clients import NOW, RegistryClientDouble
from ..doubles.kubernetes_api import ApiDouble, serve
from ..shop import FILES, Tree

TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web}
spec:
  replicas: {{ .Values.web.replicas }}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  progressDeadlineSeconds: 240
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {dapr.io/enabled: "true", dapr.io/app-id: web, dapr.io/sidecar-cpu-request: 50m}
    spec:
      imagePullSecrets: [{name: pull}]
      initContainers:
        - name: api
          image: "{{ .Values.api.image.repository }}@{{ .Values.api.image.digest }}"
          resources: {requests: {cpu: 10m, memory: 8Mi}}
      containers:
        - name: web
          image: "{{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}"
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: PASSWORD, valueFrom: {secretKeyRef: {name: app, key: {{ .Values.web.key }}}}}
          readinessProbe: {httpGet: {path: /readyz, port: http}}
          resources: {requests: {cpu: {{ .Values.web.cpu }}, memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-web}
spec: {selector: {app: web}, ports: [{name: http, port: 8000, targetPort: http}]}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec:
  type: pubsub.kafka
  version: v1
  metadata:
    - {name: brokers, value: "broker.shop.test:9092"}
    - {name: authType, value: password}
    - {name: saslUsername, value: shop}
    - {name: saslPassword, secretKeyRef: {name: app, key: PASSWORD}}
    - {name: saslMechanism, secretKeyRef: {name: app, key: MECHANISM}}
    - {name: initialOffset, value: oldest}
scopes: [web]
"""
VALUES = FILES["chart/values.yaml"].replace(
    "web:\n", "prefix: staging-\nweb:\n  key: PASSWORD\n  replicas: 1\n  cpu: 100m\n"
)
RELEASED = VALUES.replace(
    'repository: "", tag: "", digest: ""', "repository: registry.test/shop/web, tag: a, digest: sha256:1"
).replace(
    'repository: ""\n    tag: ""\n    digest: ""',
    "repository: registry.test/shop/api\n    tag: a\n    digest: sha256:2",
)
MORE = """\
migrations: [api/migrations/*.py]
preflight: {topic_prefix: prefix}
"""
PASSWORD = "correct-horse-battery-staple"
STAGING = "api/v1/namespaces/staging"
DISCOVERED = {
    "api": {"": {"v1": {"Service": "services"}}},
    "apis": {
        "apps": {"v1": {"Deployment": "deployments"}},
        "dapr.io": {"v1alpha1": {"Component": "components"}},
    },
}


def discovery(groups: dict[str, dict[str, dict[str, str]]]) -> dict[str, Any]:
    """Returns the API server's answer to discovery."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": version,
                        "resources": [
                            {
                                "resource": plural,
                                "responseKind": {"group": group, "version": version, "kind": kind},
                                "scope": "Namespaced",
                                "verbs": ["get", "list", "create", "patch"],
                            }
                            for kind, plural in kinds.items()
                        ],
                    }
                    for version, kinds in versions.items()
                ],
            }
            for group, versions in groups.items()
        ],
    }


def encoded(text: str) -> str:
    """Returns base64, as the API has it."""
    return base64.b64encode(text.encode()).decode()


@dataclass
class NodesRegistryDouble:
    """A double of the registry that nodes pull from; it has every image unless `problem` is set."""

    problem: RegistryError | None = None
    asked: list[tuple[str, str | None, str]] | None = None

    def __call__(self, host: str, credentials: Credentials | None) -> "NodesRegistryDouble":
        """Connects to one registry."""
        self._as = (host, credentials.username if credentials else None)
        return self

    def __enter__(self) -> "NodesRegistryDouble":
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Does nothing."""

    def resolve(self, repository: str, reference: str, platform: str) -> None:
        """Finds the image, or raises `problem`."""
        if self.asked is not None:
            self.asked.append((*self._as, repository))
        if self.problem:
            raise self.problem


class InspectedShop:
    """The shop in a git repository, and a cluster that is ready for it."""

    def __init__(self, tree: Tree, api: ApiDouble, folder: Path) -> None:
        """Commits the chart and adds everything that a release needs to the cluster."""
        self.tree, self.api = tree, api
        self.registry = RegistryClientDouble()
        self.nodes_registry = NodesRegistryDouble()
        self.kubeconfig = api.kubeconfig(folder)
        tree.commit(
            "chart",
            {
                "chart/templates/web.yaml": TEMPLATE,
                "chart/values.yaml": VALUES,
                "chart/values-production.yaml": "prefix: ''\n",
                "release.yaml": FILES["release.yaml"]
                .replace("example.com", "shop.test")
                .replace(
                    "    release: shop\n    values: [chart/values.yaml]",
                    "    release: shop\n    values: [chart/values.yaml, chart/values-production.yaml]",
                )
                + MORE,
            },
        )
        self._fill()

    def _fill(self) -> None:
        api = self.api
        api.objects["version"] = {"gitVersion": "v1.34.0", "major": "1", "minor": "34+"}
        for root, groups in DISCOVERED.items():
            api.objects[root] = discovery(groups)
        api.put(STAGING, {"metadata": {"name": "staging", "labels": {}}})
        self.secret("app", {"PASSWORD": PASSWORD, "MECHANISM": "SHA-256"})
        auth = {"auths": {"registry.test": {"auth": encoded(f"robot:{PASSWORD}")}}}
        self.secret("pull", {".dockerconfigjson": json.dumps(auth)}, kind="kubernetes.io/dockerconfigjson")
        self.node("n1")
        self.pod("injector", namespace="dapr-system")
        injector = {"namespace": "dapr-system", "name": "dapr-sidecar-injector"}
        service = {"metadata": injector, "spec": {"selector": {"app": "injector"}}}
        api.put("api/v1/namespaces/dapr-system/services/dapr-sidecar-injector", service)
        hook = {
            "clientConfig": {"service": injector},
            "failurePolicy": "Ignore",
            "rules": [{"resources": ["pods"], "operations": ["CREATE"]}],
        }
        api.put(
            "apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/dapr",
            {"metadata": {"name": "dapr"}, "webhooks": [hook]},
        )

    def node(self, name: str) -> None:
        """Adds a small node."""
        body = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {},
            "status": {"allocatable": {"cpu": "1900m", "memory": "3110Mi", "pods": "110"}},
        }
        self.api.put(f"api/v1/nodes/{name}", body)

    def secret(self, name: str, values: dict[str, str], kind: str = "Opaque") -> None:
        """Adds a Secret to staging."""
        data = {key: encoded(value) for key, value in values.items()}
        self.api.put(f"{STAGING}/secrets/{name}", {"metadata": {"name": name}, "type": kind, "data": data})

    def pod(
        self, name: str, *, namespace: str = "staging", cpu: str = "100m", app: str = "", on: str = "n1"
    ) -> None:
        """Adds a running pod."""
        resources = {"requests": {"cpu": cpu, "memory": "64Mi"}}
        self.api.put(
            f"api/v1/namespaces/{namespace}/pods/{name}",
            {
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": app or name}},
                "spec": {"nodeName": on, "containers": [{"name": name, "resources": resources}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            },
        )

    def deploy(self, version: str) -> None:
        """Records the shop as deployed in staging, rendered from the work tree."""
        chart = self.renderer(None).render("staging")
        body = {
            "version": 1,
            "manifest": chart.text,
            "chart": {"metadata": {"name": "shop", "version": version, "appVersion": version}},
            "info": {"status": "deployed", "last_deployed": NOW.isoformat(), "description": version},
        }
        release = encoded(base64.b64encode(gzip.compress(json.dumps(body).encode())).decode())
        labels = {"owner": "helm", "name": "shop-staging", "status": "deployed", "version": "1"}
        name = "sh.helm.release.v1.shop-staging.v1"
        self.api.put(
            f"{STAGING}/secrets/{name}",
            {
                "metadata": {"name": name, "labels": labels},
                "type": "helm.sh/release.v1",
                "data": {"release": release},
            },
        )

    @property
    def context(self) -> ReleaseContext:
        """Returns the context of a release, connected to the API double."""
        config = load(self.tree.path)
        cluster = Cluster.connect("here", self.kubeconfig)

        def reach(name: str) -> EnvironmentAccess:
            settings = config.environment(name)
            return EnvironmentAccess(
                name=name,
                settings=settings,
                cluster=cluster,
                helm=Helm("here", settings.namespace, self.kubeconfig, cluster=cluster),
                records=RecordStore(cluster, settings.namespace, settings.release),
            )

        return ReleaseContext(
            repository=Repository(self.tree.path),
            config=config,
            connect=reach,
            read_actor=lambda: "Rita <rita@example.com> on test",
            run_url=None,
            now=lambda: NOW,
        )

    def renderer(self, version: str | None) -> ChartRenderer:
        """Returns a renderer of a version, or of the work tree."""
        return ChartRenderer(self.context, self.registry, version)  # type: ignore[arg-type]  # a double

    def inspect(self, version: str | None = None, **skips: str) -> Inspection:
        """Inspects staging."""
        sources = LookupSources(self.nodes_registry)  # type: ignore[arg-type]  # a double
        return inspect(self.context, self.renderer(version), "staging", skips, sources)


@pytest.fixture
def shop(tree: Tree, tmp_path: Path) -> Iterator[InspectedShop]:
    """Returns a shop and a healthy cluster."""
    with serve(ApiDouble()) as api:
        yield InspectedShop(tree, api, tmp_path)


def summaries_of(inspection: Inspection) -> list[tuple[str, str, str]]:
    """Returns (severity, check, cause) of every finding."""
    return [(finding.severity.value, finding.check, finding.cause) for finding in inspection.findings]


PATH_NOTE = "Probes request paths such as /readyz; which paths of web need no login is not declared."


def test_healthy_cluster_has_neither_errors_nor_warnings(shop: InspectedShop) -> None:
    """The result has a table of nodes."""
    inspection = shop.inspect()
    assert summaries_of(inspection) == [("note", "probes", PATH_NOTE)]
    assert inspection.version == "0.0.0"
    assert inspection.nodes is not None
    assert inspection.nodes.rows == (("n1", "1900m", "100m", "250m (13 %)", "3110Mi", "64Mi", "128Mi (4 %)"),)


def test_inspection_reads_every_list_once(shop: InspectedShop, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of requests does not depend on the number of pods."""
    for number in range(200):
        shop.node(f"other-{number // 20}")
        shop.pod(f"other-{number}", namespace="elsewhere", on=f"other-{number // 20}")
    shop.api.requests.clear()
    began = time.monotonic()
    inspection = shop.inspect()
    seconds = time.monotonic() - began
    # Whether the release exists is asked first: the chart is rendered as an install or as an upgrade.
    asked_before = f"{STAGING}/secrets"
    lists = [path for path in shop.api.requests if path.endswith("s") and path != asked_before]
    assert len(lists) == len(set(lists))
    assert shop.api.requests.count(asked_before) == 2
    assert len(shop.api.requests) <= 33
    assert inspection.errors == ()
    with capsys.disabled():
        sys.stdout.write(f"\n201 pods, {len(shop.api.requests)} requests: inspected in {seconds:.2f} s\n")


def test_no_value_of_a_secret_is_in_the_result(shop: InspectedShop) -> None:
    """A finding about a Secret's key does not show its value."""
    shop.secret("app", {"PASSWORD": PASSWORD, "MECHANISM": "SCRAM-SHA-256"})
    inspection = shop.inspect()
    (finding,) = inspection.errors
    assert finding.cause == (
        "Key MECHANISM of Secret app is no saslMechanism that Dapr knows: Dapr silently uses PLAIN instead."
    )
    shown = json.dumps(inspection.as_json())
    assert PASSWORD not in shown
    assert "SCRAM-SHA-256" not in shown


def test_finding_has_the_line_of_the_values_file(shop: InspectedShop) -> None:
    """CI can show the finding beside the change."""
    shop.tree.write({"chart/values.yaml": VALUES.replace("key: PASSWORD", "key: PASSWRD")})
    (finding,) = shop.inspect().errors
    assert finding.cause == "There is no key PASSWRD in Secret app; Deployment/shop-staging-web reads it."
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("chart/values.yaml", 4)


def test_work_tree_is_inspected_with_its_edits_and_a_tag_without_them(shop: InspectedShop) -> None:
    """A deployment from a tag does not depend on the work tree."""
    shop.tree.write({"chart/values.yaml": RELEASED})
    shop.tree.commit("release")
    shop.tree.git("tag", "v0.1.0")
    shop.tree.write({"chart/values.yaml": VALUES.replace("cpu: 100m", "cpu: 9000m")})
    assert [finding.check for finding in shop.inspect().errors] == ["capacity"]
    assert shop.inspect("0.1.0").errors == ()
    assert shop.inspect("0.1.0").version == "0.1.0"


def test_new_version_is_inspected_without_looking_up_unbuilt_images(shop: InspectedShop) -> None:
    """Images that are not built yet are not looked up."""
    shop.nodes_registry.problem = ImageNotFoundError("It is not there.", remedy="Push it.")
    assert shop.inspect("0.2.0").errors == ()


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (ImageNotFoundError("It is not there.", remedy=""), ("error", "images", "It is not there.")),
        (
            RegistryDeniedError("It refused.", remedy=""),
            (
                "error",
                "images",
                "The cluster cannot pull registry.test/shop/web@sha256:1: with pull: It refused.",
            ),
        ),
        (
            RegistryError("It is down.", remedy=""),
            (
                "warning",
                "images",
                (
                    "registry.test/shop/api@sha256:2 and registry.test/shop/web@sha256:1 could not be looked "
                    "up: It is down."
                ),
            ),
        ),
    ],
    ids=["missing", "denied", "down"],
)
def test_images_are_looked_up_with_the_pull_secrets_of_the_namespace(
    shop: InspectedShop, problem: RegistryError, expected: tuple[str, str, str]
) -> None:
    """The registry is asked as the kubelet will ask it."""
    shop.tree.write({"chart/values.yaml": RELEASED})
    shop.tree.commit("release")
    shop.tree.git("tag", "v0.1.0")
    shop.nodes_registry.asked = []
    shop.nodes_registry.problem = problem
    assert expected in summaries_of(shop.inspect("0.1.0"))
    assert sorted(shop.nodes_registry.asked) == [
        ("registry.test", "robot", "shop/api"),
        ("registry.test", "robot", "shop/web"),
    ]


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


def test_chart_that_cannot_be_rendered_ends_the_inspection(shop: InspectedShop) -> None:
    """Helm's error says why the chart cannot be rendered."""
    shop.tree.write({"chart/templates/web.yaml": "{{ .Values.web.nothing.at.all }}\n"})
    with pytest.raises(HelmError):
        shop.inspect()


def test_unchanged_workload_does_not_roll(shop: InspectedShop) -> None:
    """The rendered chart is compared with Helm's record."""
    shop.api.put(
        "apis/apps/v1/namespaces/staging/deployments/shop-staging-web",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop-staging-web", "namespace": "staging"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
        },
    )
    shop.pod("web-1", app="web", cpu="150m")
    shop.deploy("0.0.0")
    inspection = shop.inspect()
    assert inspection.nodes is not None
    assert inspection.nodes.rows[0][2:4] == ("250m", "250m (13 %)")
    shop.tree.write({"chart/values.yaml": VALUES.replace("cpu: 100m", "cpu: 110m")})
    changed = shop.inspect()
    assert changed.nodes is not None
    assert changed.nodes.rows[0][3] == "410m (21 %)"


def test_migrations_since_the_running_version_are_checked(shop: InspectedShop) -> None:
    """The running version's code decides the severity; an unknown version is a note."""
    shop.tree.commit("api", {"api/models.py": 'table = "tasks"\nlegacy = column("legacy")\n'})
    shop.tree.git("tag", "v0.1.0")
    script = 'from alembic import op\n\n\ndef upgrade() -> None:\n    op.drop_column("tasks", "legacy")\n'
    shop.tree.commit("api: Migrate.", {"api/migrations/0002.py": script})
    shop.deploy("0.1.0")
    (finding,) = shop.inspect().errors
    assert finding.cause.endswith("The running version names it in api/models.py:2.")
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("api/migrations/0002.py", 5)
    shop.deploy("9.9.9")
    (unread,) = [finding.cause for finding in shop.inspect().findings if finding.check == "migrations"]
    assert unread.endswith("the commit of the running version 9.9.9 is not known here.")


def test_migrations_of_a_tag_are_those_of_its_commit(shop: InspectedShop) -> None:
    """Later migrations and removed ones do not count."""
    shop.tree.commit("api", {"api/migrations/0001.py": "def upgrade():\n    pass\n"})
    shop.tree.git("tag", "v0.1.0")
    shop.deploy("0.1.0")
    shop.tree.write({"chart/values.yaml": RELEASED})
    (shop.tree.path / "api/migrations/0001.py").unlink()
    shop.tree.commit("release", {"api/migrations/0002.py": "def upgrade():\n    op.create_table('b')\n"})
    shop.tree.git("tag", "v0.2.0")
    shop.tree.write({"api/migrations/0003.py": "def upgrade():\n    op.drop_table('b')\n"})
    snapshot = [
        finding.subject for finding in shop.inspect("0.2.0").findings if finding.check == "migrations"
    ]
    assert snapshot == ["api/migrations/0002.py"]


def test_environments_that_share_topics_on_one_broker_are_an_error(shop: InspectedShop) -> None:
    """The other environment is rendered too, and left out if that fails."""
    values = {"chart/values-production.yaml": "prefix: staging-\n"}
    shop.tree.write(values)
    (finding,) = shop.inspect().errors
    assert "They share a broker, so each environment consumes the other's events" in finding.cause
    (shop.tree.path / "chart/values-production.yaml").unlink()
    assert shop.inspect().errors == ()


def test_skipped_check_has_notes_with_the_reason(shop: InspectedShop) -> None:
    """A skipped check does not stop the release."""
    shop.api.objects.pop(f"{STAGING}/secrets/app")
    assert {finding.check for finding in shop.inspect().errors} == {"references"}
    inspection = shop.inspect(references="they are made by hand afterwards")
    assert inspection.errors == ()
    assert any(
        "(Skipped: they are made by hand afterwards.)" in cause for _, _, cause in summaries_of(inspection)
    )
    assert inspection.as_json()["skipped"] == {"references": "they are made by hand afterwards"}


def test_verdict_counts_findings_by_severity(shop: InspectedShop) -> None:
    """The verdict is one line."""
    inspection = replace(shop.inspect(), seconds=0.84)
    assert inspection.verdict == "staging: no errors, no warnings, 1 note in 0.8 s"


def test_unreachable_registry_is_a_warning(shop: InspectedShop) -> None:
    """It is then not known which images exist."""
    shop.registry.is_down = True
    assert (
        "warning",
        "images",
        "It is not known which images must still be built: The registry is down.",
    ) in summaries_of(shop.inspect())


def test_image_that_the_environments_values_name_is_refused_with_its_line(shop: InspectedShop) -> None:
    """Today's edit of the release is without effect there; the work tree and a new version say the same."""
    values = f"web:\n  image:\n    digest: sha256:{'1' * 64}\n"
    config = (shop.tree.path / "release.yaml").read_text(encoding="utf-8")
    text = config.replace("values: [chart/values.yaml]", "values: [chart/values.yaml, chart/staging.yaml]")
    shop.tree.commit("staging", {"chart/staging.yaml": values, "release.yaml": text})
    for version in (None, "0.2.0"):
        (finding,) = shop.inspect(version).errors
        assert finding.place is not None
        assert (finding.place.file, finding.place.line) == ("chart/staging.yaml", 3)
        assert finding.cause == (
            "It runs registry.test/shop/web@sha256:111111111111… and not registry.test/shop/web@(to be "
            "built), which is released as web: chart/staging.yaml sets web.image.digest."
        )


def test_image_that_release_yaml_sets_is_refused_with_its_line(shop: InspectedShop) -> None:
    """`set` of an environment wins over every file."""
    config = (shop.tree.path / "release.yaml").read_text(encoding="utf-8")
    text = config.replace(
        'set: {host: "staging', 'set: {web.image.repository: ghcr.io/old/web, host: "staging'
    )
    shop.tree.commit("set", {"release.yaml": text})
    (finding,) = shop.inspect().errors
    assert finding.place is not None
    assert finding.place.file == "release.yaml"
    assert "web.image.repository" in text.splitlines()[finding.place.line - 1]


def test_template_with_a_fixed_image_is_refused_with_its_line(shop: InspectedShop) -> None:
    """The template is found by the comment of Helm, the line by its text."""
    line = 'image: "{{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}"'
    shop.tree.write({"chart/templates/web.yaml": TEMPLATE.replace(line, "image: ghcr.io/shop/web:1.0.0")})
    (finding,) = shop.inspect().errors
    assert finding.place is not None
    number = TEMPLATE.splitlines().index(f"          {line}") + 1
    assert (finding.place.file, finding.place.line) == ("chart/templates/web.yaml", number)


def test_values_that_name_images_by_one_shared_tag_are_inspected(shop: InspectedShop) -> None:
    """The version's tag does not exist before the release, so nobody is asked for it."""
    files = {
        "chart/values.yaml": f'global: {{tag: ""}}\n{VALUES}',
        "chart/templates/web.yaml": TEMPLATE.replace(
            "}}@{{ .Values.web.image.digest", "}}:{{ .Values.global.tag"
        ).replace("}}@{{ .Values.api.image.digest", "}}:{{ .Values.global.tag"),
        "release.yaml": (shop.tree.path / "release.yaml")
        .read_text(encoding="utf-8")
        .replace("values: web.image", "values: [web.image.repository, global.tag]")
        .replace("values: api.image", "values: [api.image.repository, global.tag]"),
    }
    shop.tree.commit("tag", files)
    shop.nodes_registry.problem = ImageNotFoundError("It is not there.", remedy="Push it.")
    inspection = shop.inspect("0.2.0")
    assert inspection.errors == ()
    tagged = [cause for severity, _, cause in summaries_of(inspection) if severity == "warning"]
    assert [cause.partition(": ")[0] for cause in tagged] == [
        "The values name api by a tag only (registry.test/shop/api:v0.2.0)",
        "The values name web by a tag only (registry.test/shop/web:v0.2.0)",
    ]


@dataclass
class AnonymousRegistryDouble(NodesRegistryDouble):
    """A registry that tells anonymous users what `refusal` says, or lets them pull."""

    refusal: RegistryError | None = None

    def digest(self, repository: str, reference: str) -> str | None:
        """Finds nothing, or refuses."""
        assert (*self._as, repository, reference) == ("ghcr.io", None, "example/shop/web", "latest")
        if self.refusal:
            raise self.refusal
        return None


@pytest.mark.parametrize(
    ("refusal", "severity"),
    [(RegistryDeniedError("ghcr.io refuses anonymous users.", remedy=""), "error"), (None, "warning")],
    ids=["private", "public"],
)
def test_missing_pull_secret_is_an_error_where_the_real_registry_is_private(
    shop: InspectedShop, refusal: RegistryError | None, severity: str
) -> None:
    """In a rehearsal everybody may pull from the registry that stands in for it."""
    shop.api.objects.pop(f"{STAGING}/secrets/pull")
    registry = AnonymousRegistryDouble(refusal=refusal)
    real = RegistrySettings(repository="ghcr.io/example/shop")
    sources = LookupSources(registry, real_registry=real)  # type: ignore[arg-type]  # a double
    inspection = inspect(shop.context, shop.renderer("0.2.0"), "staging", {}, sources)
    (finding,) = [finding for finding in inspection.findings if finding.check == "references"]
    assert finding.severity.value == severity
    assert finding.cause.startswith("There is no pull secret pull")
