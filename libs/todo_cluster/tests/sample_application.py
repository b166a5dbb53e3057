"""A small application with the parts that the commands look at: a chart, its Secrets, two environments."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.command import ClusterOptions
from todo_release.config import loader

RELEASE_YAML = """\
name: sample
branch: main
registry: {repository: registry.test/sample, insecure: true}
images:
  web: {dockerfile: Dockerfile, inputs: [web], values: web.image}
environments:
  staging:
    context: rehearsal
    namespace: sample-staging
    release: sample
    values: [chart/values.yaml]
    url: https://staging.test
    timeout_seconds: 60
  production:
    context: rehearsal
    namespace: sample-production
    release: sample
    values: [chart/values.yaml]
    set: {hasBroker: true}
    url: https://production.test
    requires: staging
"""
CLUSTER_YAML = """\
provider: existing
context: rehearsal
"""
VALUES = """\
hasBroker: false
hasAutoscaler: false
command: web
web:
  image: {repository: registry.test/sample/web, tag: dev, digest: ""}
"""
DEPLOYMENTS = """\
{{- $users := dict "web" (list "BETTER_AUTH_SECRET" "FRONTEND_DATABASE_URL") "other" list }}
{{- range $name, $keys := set $users "worker" (list "DATABASE_URL" "token") }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ $name }}}
spec:
  {{- if not (and $.Values.hasAutoscaler (eq $name "web")) }}
  replicas: {{ if eq $name "web" }}2{{ else }}1{{ end }}
  {{- end }}
  progressDeadlineSeconds: 5
  selector: {matchLabels: {app: {{ $name }}}}
  template:
    metadata:
      labels: {app: {{ $name }}}
      annotations: {dapr.io/app-id: {{ $name }}}
    spec:
      imagePullSecrets: [{name: pull}]
      containers:
        - name: {{ $name }}
          image: {{ $.Values.web.image.repository }}:{{ $.Values.command }}
          env:
            {{- range $keys }}
            - {name: {{ . }}, valueFrom: {secretKeyRef: {name: app, key: {{ . }}}}}
            {{- end }}
            {{- if eq $name "web" }}
            - name: BETTER_AUTH_SECRETS
              valueFrom: {secretKeyRef: {name: app, key: BETTER_AUTH_SECRETS, optional: true}}
            {{- end }}
{{- end }}
"""
COMPONENT = """\
{{- if .Values.hasBroker }}
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec:
  type: pubsub.kafka
  version: v1
  metadata:
    {{- range list "REDPANDA_BROKERS" "REDPANDA_USERNAME" "REDPANDA_PASSWORD" "REDPANDA_SASL_MECHANISM" }}
    - {name: {{ . }}, secretKeyRef: {name: app, key: {{ . }}}}
    {{- end }}
scopes: [worker]
---
apiVersion: v1
kind: Secret
metadata: {name: own}
stringData: {key: value}
{{- end }}
"""


@dataclass(frozen=True)
class SampleApplication:
    """The application in a folder."""

    root: Path
    options: ClusterOptions = ClusterOptions(output="lines", is_agreed=True)  # noqa: RUF009  # it is frozen
    namespaces: tuple[str, ...] = ("sample-staging", "sample-production")

    @classmethod
    def write(cls, root: Path) -> "SampleApplication":
        """Writes its files into a folder."""
        for name, text in {
            "release.yaml": RELEASE_YAML,
            "cluster.yaml": CLUSTER_YAML,
            "chart/Chart.yaml": "apiVersion: v2\nname: sample\nversion: 0.0.0\nappVersion: 0.0.0\n",
            "chart/values.yaml": VALUES,
            "chart/templates/deployments.yaml": DEPLOYMENTS,
            "chart/templates/component.yaml": COMPONENT,
        }.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return cls(root)

    def environment(self, name: str = "staging") -> ApplicationEnvironment:
        """Returns one of its environments."""
        return ApplicationEnvironment(self.root, loader.load(self.root), name)

    def deploy(self, name: str) -> None:
        """Applies the Deployments of the chart, whose pods wait for their Secrets."""
        environment = self.environment(name)
        for rendered in environment.manifest.of_kind("Deployment"):
            environment.cluster.apply(rendered.body, environment.namespace, manager="helm")

    def secret_file(self, **values: str) -> Path:
        """Writes values as lines KEY=VALUE into a file that only its owner may read."""
        path = self.root / "values.env"
        path.write_text("".join(f"{key}={value!r}\n" for key, value in values.items()), encoding="utf-8")
        path.chmod(0o600)
        return path

    def read(self, path: str) -> Any:
        """Returns what the API server has at a path of the namespace of staging."""
        root, _, rest = path.partition(" ")
        return self.environment().cluster.read(f"{root}/namespaces/{self.namespaces[0]}/{rest}")
