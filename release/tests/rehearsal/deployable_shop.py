"""The application of these tests: the shop with a chart that can be deployed."""

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from todo_release.config.model import RehearsalSettings
from todo_release.report.lines import LineReporter
from todo_release.session import CommandOptions, Session, open_session

from ..shop import FILES, RELEASE_YAML, Tree

LINES = CommandOptions(output="lines", environ={})

REHEARSAL = """\
rehearsal:
  nodes:
    - prefix: pool
      count: 3
      capacity: {cpu: "2", memory: 4009092Ki, pods: "110"}
      allocatable: {cpu: 1900m, memory: 3110Mi}
      labels: {topology.kubernetes.io/region: fra1}
  workloads:
    - {kind: DaemonSet, name: network, requests: {cpu: 502m, memory: 580Mi}}
    - {kind: Deployment, name: dns, replicas: 2, requests: {cpu: 100m, memory: 150M}}
  manifests: [cluster.yaml]
  secrets:
    shop-secrets: {TOKEN: ""}
    pull-secret: {.dockerconfigjson: ""}
"""
REHEARSAL_SETTINGS = RehearsalSettings.model_validate(yaml.safe_load(REHEARSAL)["rehearsal"])
# The smallest chart that every fault can affect: it reads a Secret, has requests, a sidecar and a hook.
TEMPLATES = {
    "chart/templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      imagePullSecrets: [{name: pull-secret}]
      containers:
        - name: web
          image: "{{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}"
          env:
            - name: TOKEN
              valueFrom: {secretKeyRef: {name: shop-secrets, key: TOKEN}}
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
""",
    "chart/templates/api.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  labels: {app: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata:
      labels: {app: api}
      annotations:
        dapr.io/enabled: "true"
        dapr.io/app-id: api
        dapr.io/sidecar-cpu-request: 50m
        dapr.io/sidecar-memory-request: 32Mi
    spec:
      imagePullSecrets: [{name: pull-secret}]
      containers:
        - name: api
          image: "{{ .Values.api.image.repository }}@{{ .Values.api.image.digest }}"
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
""",
    "chart/templates/migrate.yaml": """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      imagePullSecrets: [{name: pull-secret}]
      containers:
        - name: migrate
          image: "{{ .Values.api.image.repository }}@{{ .Values.api.image.digest }}"
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
""",
}
# Preflight requires the injector's webhook; in a rehearsal a policy of the API server adds the sidecars.
CLUSTER = """\
apiVersion: v1
kind: Namespace
metadata: {name: dapr-system}
---
apiVersion: v1
kind: Service
metadata: {name: dapr-sidecar-injector, namespace: dapr-system}
spec: {ports: [{port: 443}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: dapr-sidecar-injector}
webhooks:
  - name: sidecar-injector.dapr.io
    clientConfig: {service: {name: dapr-sidecar-injector, namespace: dapr-system, path: /mutate}}
    rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
    objectSelector: {matchLabels: {rehearsal: never}}
    failurePolicy: Ignore
    sideEffects: None
    admissionReviewVersions: [v1]
"""
REHEARSED: dict[str, str] = {
    **FILES,
    **TEMPLATES,
    "release.yaml": RELEASE_YAML + REHEARSAL,
    "cluster.yaml": CLUSTER,
}


def never_released(folder: Path) -> Tree:
    """Creates the shop in one commit, with unique namespaces, so that rehearsals can share a control plane.

    * add (HEAD -> main)
    """
    folder.mkdir()
    tree = Tree(folder)
    tree.git("init", "--quiet", "--initial-branch=main")
    settings, tag = REHEARSED["release.yaml"], uuid.uuid4().hex[:8]
    for name in ("staging", "production"):
        settings = settings.replace(f"namespace: {name}", f"namespace: {name}-{tag}")
    tree.commit("add", {**REHEARSED, "release.yaml": settings})
    return tree


@contextmanager
def open_shop(tree: Tree, options: CommandOptions = LINES) -> Iterator[Session]:
    """Opens a session of the shop; its output is dropped."""
    with open_session(tree.path, options, LineReporter(io.StringIO(), can_ask=False)) as session:
        yield session
