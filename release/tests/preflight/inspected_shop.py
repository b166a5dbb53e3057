"""The shop in a cluster double, with an inspection of it."""

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from todo_release.adapters.git import Repository
from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.registry.credentials import Credentials
from todo_release.config.loader import load
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.history import RecordStore
from todo_release.errors import RegistryError
from todo_release.preflight.inspection import Inspection, LookupSources, inspect
from todo_release.preflight.rendering import ChartRenderer

from ..doubles.clients import NOW, RegistryClientDouble
from ..doubles.kubernetes_api import ApiDouble
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


def summaries_of(inspection: Inspection) -> list[tuple[str, str, str]]:
    """Returns (severity, check, cause) of every finding."""
    return [(finding.severity.value, finding.check, finding.cause) for finding in inspection.findings]


PATH_NOTE = "Probes request paths such as /readyz; which paths of web need no login is not declared."
