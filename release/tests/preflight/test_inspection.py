"""Whole inspections: a real chart rendered by the real Helm, read from an API server, judged by every
check.
"""

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
    """What the API server answers when it is asked for everything that it serves."""
    return {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": version,
                        "resources": [
                            {"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced"}
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
    """Base64, as the API has it."""
    return base64.b64encode(text.encode()).decode()


@dataclass
class RegistryAsNodesSeeIt:
    """A registry that has every image, unless told otherwise."""

    problem: RegistryError | None = None
    asked: list[tuple[str, str | None, str]] | None = None

    def __call__(self, host: str, credentials: Credentials | None) -> "RegistryAsNodesSeeIt":
        """As `Connect`."""
        self._as = (host, credentials.username if credentials else None)
        return self

    def __enter__(self) -> "RegistryAsNodesSeeIt":
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def resolve(self, repository: str, reference: str, platform: str) -> None:
        """As `Registry.resolve`."""
        if self.asked is not None:
            self.asked.append((*self._as, repository))
        if self.problem:
            raise self.problem


class InspectedShop:
    """The shop in a git repository, and a cluster that is ready for it."""

    def __init__(self, tree: Tree, api: ApiDouble, folder: Path) -> None:
        """Everything that a release needs is there."""
        self.tree, self.api = tree, api
        self.registry = RegistryClientDouble()
        self.nodes_registry = RegistryAsNodesSeeIt()
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
        api.objects["version"] = {"major": "1", "minor": "34+"}
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
        """Add a node of the smallest kind that DigitalOcean offers."""
        body = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {},
            "status": {"allocatable": {"cpu": "1900m", "memory": "3110Mi", "pods": "110"}},
        }
        self.api.put(f"api/v1/nodes/{name}", body)

    def secret(self, name: str, values: dict[str, str], kind: str = "Opaque") -> None:
        """Put a Secret into staging."""
        data = {key: encoded(value) for key, value in values.items()}
        self.api.put(f"{STAGING}/secrets/{name}", {"metadata": {"name": name}, "type": kind, "data": data})

    def pod(
        self, name: str, *, namespace: str = "staging", cpu: str = "100m", app: str = "", on: str = "n1"
    ) -> None:
        """Let a pod run."""
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
        """Let the shop run in staging as Helm records it: rendered from what is checked out."""
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
        """As the engine wires it, to the API double."""
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
        """Renders a version, or the work tree."""
        return ChartRenderer(self.context, self.registry, version)  # type: ignore[arg-type]  # a double

    def inspect(self, version: str | None = None, **skips: str) -> Inspection:
        """Inspect staging."""
        sources = LookupSources(self.nodes_registry)  # type: ignore[arg-type]  # a double
        return inspect(self.context, self.renderer(version), "staging", skips, sources)


@pytest.fixture
def shop(tree: Tree, tmp_path: Path) -> Iterator[InspectedShop]:
    """A shop and a healthy cluster."""
    with serve(ApiDouble()) as api:
        yield InspectedShop(tree, api, tmp_path)


def summaries_of(inspection: Inspection) -> list[tuple[str, str, str]]:
    """(severity, check, cause) of every finding."""
    return [(finding.severity.value, finding.check, finding.cause) for finding in inspection.findings]


PATH_NOTE = "Probes request paths such as /readyz; which paths of web need no login is not declared."


def test_healthy_cluster_gives_no_alarm(shop: InspectedShop) -> None:
    """Neither error nor warning; the nodes are shown."""
    inspection = shop.inspect()
    assert summaries_of(inspection) == [("note", "probes", PATH_NOTE)]
    assert inspection.version == "0.0.0"
    assert inspection.nodes is not None
    assert inspection.nodes.rows == (("n1", "1900m", "100m", "250m (13 %)", "3110Mi", "64Mi", "128Mi (4 %)"),)


def test_inspection_takes_a_handful_of_requests_and_few_seconds(
    shop: InspectedShop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every list once, however many pods there are; none of them writes."""
    for number in range(200):
        shop.node(f"other-{number // 20}")
        shop.pod(f"other-{number}", namespace="elsewhere", on=f"other-{number // 20}")
    shop.api.requests.clear()
    began = time.monotonic()
    inspection = shop.inspect()
    seconds = time.monotonic() - began
    lists = [path for path in shop.api.requests if path.endswith("s")]
    assert len(lists) == len(set(lists))
    assert len(shop.api.requests) <= 32
    assert inspection.errors == ()
    with capsys.disabled():
        sys.stdout.write(f"\n201 pods, {len(shop.api.requests)} requests: inspected in {seconds:.2f} s\n")


def test_no_value_of_a_secret_is_in_what_is_told(shop: InspectedShop) -> None:
    """Not even when the key is at fault."""
    shop.secret("app", {"PASSWORD": PASSWORD, "MECHANISM": "SCRAM-SHA-256"})
    inspection = shop.inspect()
    (finding,) = inspection.errors
    assert finding.cause == (
        "Key MECHANISM of Secret app is no saslMechanism that Dapr knows: Dapr silently uses PLAIN instead."
    )
    shown = json.dumps(inspection.as_json())
    assert PASSWORD not in shown
    assert "SCRAM-SHA-256" not in shown


def test_finding_stands_at_the_line_of_the_values_file(shop: InspectedShop) -> None:
    """So that CI can show it beside the change."""
    shop.tree.write({"chart/values.yaml": VALUES.replace("key: PASSWORD", "key: PASSWRD")})
    (finding,) = shop.inspect().errors
    assert finding.cause == "There is no key PASSWRD in Secret app; Deployment/shop-staging-web reads it."
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("chart/values.yaml", 4)


def test_edits_of_the_work_tree_are_inspected_and_a_tag_as_it_was_tagged(shop: InspectedShop) -> None:
    """What is deployed from a tag does not change with the tree."""
    shop.tree.write({"chart/values.yaml": RELEASED})
    shop.tree.commit("release")
    shop.tree.git("tag", "v0.1.0")
    shop.tree.write({"chart/values.yaml": VALUES.replace("cpu: 100m", "cpu: 9000m")})
    assert [finding.check for finding in shop.inspect().errors] == ["capacity"]
    assert shop.inspect("0.1.0").errors == ()
    assert shop.inspect("0.1.0").version == "0.1.0"


def test_version_that_is_to_be_released_is_inspected_with_its_edits(shop: InspectedShop) -> None:
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
            ("warning", "images", "registry.test/shop/web@sha256:1 could not be looked up: It is down."),
        ),
    ],
    ids=["missing", "denied", "down"],
)
def test_images_are_looked_up_with_the_pull_secrets_of_the_namespace(
    shop: InspectedShop, problem: RegistryError, expected: tuple[str, str, str]
) -> None:
    """As the kubelet will; what only may be wrong is a warning."""
    shop.tree.write({"chart/values.yaml": RELEASED})
    shop.tree.commit("release")
    shop.tree.git("tag", "v0.1.0")
    shop.nodes_registry.asked = []
    shop.nodes_registry.problem = problem
    assert expected in summaries_of(shop.inspect("0.1.0"))
    assert shop.nodes_registry.asked == [("registry.test", "robot", "shop/web")]


def test_list_that_is_forbidden_makes_a_note_and_nothing_else(shop: InspectedShop) -> None:
    """A deployer who may not see webhooks can release all the same."""
    shop.api.refused["apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"] = 403
    shop.api.refused["api/v1/nodes"] = 403
    shop.api.refused["api/v1/services"] = 403
    inspection = shop.inspect()
    assert inspection.errors == ()
    assert inspection.nodes is None
    unseen = {cause.partition(": ")[2] for _, _, cause in summaries_of(inspection) if "checked:" in cause}
    assert unseen == {
        "mutatingwebhookconfigurations.admissionregistration.k8s.io may not be read (403).",
        "services of other namespaces may not be listed.",
        "nodes may not be read (403).",
    }


def test_everything_else_that_is_refused_is_a_note_too(shop: InspectedShop) -> None:
    """Discovery, version, namespace, metrics, Secrets."""
    for path in ("api", "apis", "version", STAGING, "apis/metrics.k8s.io/v1beta1", f"{STAGING}/secrets"):
        shop.api.refused[path] = 403
    inspection = shop.inspect()
    assert inspection.errors == ()
    assert {finding.severity for finding in inspection.findings} == {Severity.NOTE}


def test_server_that_cannot_list_what_it_serves_is_a_note(shop: InspectedShop) -> None:
    """Before Kubernetes 1.27 it answers in another form."""
    for root in ("api", "apis"):
        shop.api.objects[root] = {"kind": "APIGroupList", "groups": []}
    (unseen,) = [finding.cause for finding in shop.inspect().findings if finding.check == "api-versions"]
    assert unseen.endswith("the API server does not list what it serves (needs Kubernetes 1.27).")


def test_damaged_records_of_helm_and_of_the_engine_are_left_to_others(shop: InspectedShop) -> None:
    """The release itself stops at them and says why; everything then counts as changed."""
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


def test_list_that_fails_everywhere_is_tried_nowhere_else(shop: InspectedShop) -> None:
    """Services may be listed neither in the cluster nor in the namespace."""
    shop.api.refused["api/v1/services"] = 403
    shop.api.refused[f"{STAGING}/services"] = 500
    assert any("services could not be read (500)" in cause for _, _, cause in summaries_of(shop.inspect()))


def test_credentials_that_are_not_known_end_the_inspection(shop: InspectedShop) -> None:
    """Nothing could be snapshot at all."""
    shop.api.refusal = 401
    with pytest.raises(ClusterError, match="401"):
        shop.inspect()


def test_chart_that_cannot_be_rendered_ends_the_inspection(shop: InspectedShop) -> None:
    """There is nothing to check; Helm says why."""
    shop.tree.write({"chart/templates/web.yaml": "{{ .Values.web.nothing.at.all }}\n"})
    with pytest.raises(HelmError):
        shop.inspect()


def test_what_runs_unchanged_does_not_roll(shop: InspectedShop) -> None:
    """Helm's record is compared with what would be applied."""
    shop.api.put(
        "apis/apps/v1/namespaces/staging/deployments/shop-staging-web",
        {
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


def test_migrations_between_the_running_version_and_this_one_are_judged(shop: InspectedShop) -> None:
    """With what the running version's code says about what they take away; an unknown version is a note."""
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
    (unseen,) = [finding.cause for finding in shop.inspect().findings if finding.check == "migrations"]
    assert unseen.endswith("the commit of the running version 9.9.9 is not known here.")


def test_migrations_of_a_tag_are_those_of_its_commit(shop: InspectedShop) -> None:
    """What is written after it does not count; one that went is no migration any more."""
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
    """The other environment is rendered too; one that cannot be is left out."""
    values = {"chart/values-production.yaml": "prefix: staging-\n"}
    shop.tree.write(values)
    (finding,) = shop.inspect().errors
    assert "They share a broker, so each environment consumes the other's events" in finding.cause
    (shop.tree.path / "chart/values-production.yaml").unlink()
    assert shop.inspect().errors == ()


def test_skipped_check_notes_its_errors_with_the_reason(shop: InspectedShop) -> None:
    """And the release goes on."""
    shop.api.objects.pop(f"{STAGING}/secrets/app")
    assert {finding.check for finding in shop.inspect().errors} == {"references"}
    inspection = shop.inspect(references="they are made by hand afterwards")
    assert inspection.errors == ()
    assert any(
        "(Skipped: they are made by hand afterwards.)" in cause for _, _, cause in summaries_of(inspection)
    )
    assert inspection.as_json()["skipped"] == {"references": "they are made by hand afterwards"}


def test_verdict_counts_by_severity(shop: InspectedShop) -> None:
    """One line for people."""
    inspection = replace(shop.inspect(), seconds=0.84)
    assert inspection.verdict == "staging: no errors, no warnings, 1 note in 0.8 s"


def test_registry_that_is_down_is_told(shop: InspectedShop) -> None:
    """Which images exist is then unknown."""
    shop.registry.is_down = True
    assert (
        "warning",
        "images",
        "It is not known which images must still be built: The registry is down.",
    ) in summaries_of(shop.inspect())
