"""A small repository with all that a bootstrap reads: manifests, its own chart, a third-party chart."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

RELEASE = {
    "name": "shop",
    "registry": {"repository": "registry.test/shop"},
    "chart": {"path": "chart"},
    "images": {
        "web": {"context": "web", "dockerfile": "web/Dockerfile", "inputs": ["web"], "values": "web.image"}
    },
    "environments": {
        name: {
            "context": "rehearsal",
            "namespace": name,
            "release": "shop",
            "url": f"https://{name}.shop.test",
        }
        for name in ("staging", "production")
    },
}
CLUSTER: dict[str, Any] = {
    "provider": "existing",
    "context": "rehearsal",
    "charts": {"mirror": "mirror"},
    "manifests": ["objects.yaml"],
    "components": {
        "gauges": {
            "namespace": "gauges",
            "chart": {"name": "gauges", "version": "1.2.3", "repository": "https://charts.test/gauges"},
            "values": ["gauges.yaml"],
            "definitions": True,
            "replace": {"replaceme": "gauges"},
            "secrets": {"gauges-admin": {"username": "admin", "password": "random"}},
            "timeout_seconds": 20,
        },
        "dns": {
            "namespace": "kube-system",
            "present": [
                {"api_version": "apps/v1", "kind": "Deployment", "name": "dns", "namespace": "kube-system"}
            ],
        },
    },
    "workloads": "workloads.yaml",
    "issuers": {
        "email": "operator@shop.test",
        "staging": {"name": "trial", "server": "https://acme.test/trial"},
        "production": {"name": "real", "server": "https://acme.test/real"},
        "timeout_seconds": 5,
    },
}
OBJECTS = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: staging-first}
value: -10
---
apiVersion: v1
kind: Namespace
metadata: {name: staging}
---
apiVersion: v1
kind: Namespace
metadata: {name: production}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: deployer, namespace: staging}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: deployer, namespace: production}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deployer, namespace: staging}
subjects: [{kind: ServiceAccount, name: deployer, namespace: staging}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.gauges.test}
spec:
  group: gauges.test
  scope: Namespaced
  names: {plural: gauges, singular: gauge, kind: Gauge, listKind: GaugeList}
  conversion:
    strategy: Webhook
    webhook:
      clientConfig: {service: {namespace: replaceme, name: gauges, path: /convert}}
      conversionReviewVersions: [v1]
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: gauges, namespace: gauges, labels: {todo-cluster/component: gauges}}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: gauges}}
  template:
    metadata: {labels: {app: gauges}}
    spec:
      containers:
        - {name: gauges, image: "registry.test/gauges:1", resources: {requests: {cpu: 50m, memory: 64Mi}}}
"""
APPLICATION = DEPLOYMENT.replace(
    "gauges, namespace: gauges, labels: {todo-cluster/component: gauges}", "web"
).replace("gauges", "web")


def write(root: Path, changes: Mapping[str, Any] | None = None, *, deployment: str = DEPLOYMENT) -> Path:
    """Writes the repository into a folder; `changes` are laid over the keys of cluster.yaml."""
    for name, document in (("release.yaml", RELEASE), ("cluster.yaml", {**CLUSTER, **(changes or {})})):
        (root / name).write_text(yaml.safe_dump(document, sort_keys=False))
    (root / "objects.yaml").write_text(OBJECTS)
    (root / "gauges.yaml").write_text("replicas: 2\n")
    (root / "workloads.yaml").write_text(DEPLOYMENT.replace("REPLICAS", "2"))
    _chart(root / "chart", "shop", APPLICATION.replace("REPLICAS", "2"))
    (root / "chart/values.yaml").write_text("web: {image: {digest: ''}}\n")
    third_party = _chart(root / "source", "gauges", deployment.replace("REPLICAS", "{{ .Values.replicas }}"))
    (third_party / "values.yaml").write_text("replicas: 1\n")
    (third_party / "crds").mkdir(parents=True, exist_ok=True)
    (third_party / "crds/gauge.yaml").write_text(DEFINITION)
    subprocess.run(
        ["helm", "package", third_party, "--destination", root / "mirror"], check=True, capture_output=True
    )
    return root


def _chart(folder: Path, name: str, template: str) -> Path:
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.2.3\n")
    (folder / "templates/deployment.yaml").write_text(template)
    return folder
