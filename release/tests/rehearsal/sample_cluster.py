"""A live cluster: an environment, another namespace, a webhook, a few classes.

SPACE is replaced by the environment's namespace. The SECRET-… values must never appear anywhere else.
"""

import yaml

from todo_embedded.controlplane.object_paths import KubeObject

VALUES = ("SECRET-PASSWORD", "SECRET-URL", "SECRET-COLOUR", "SECRET-HOST", "SECRET-RECORD", "SECRET-KEY")
OBJECTS = """
apiVersion: v1
kind: Namespace
metadata: {name: SPACE, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
apiVersion: v1
kind: Namespace
metadata: {name: SPACE-logs, labels: {tier: logs}}
---
apiVersion: v1
kind: Secret
metadata: {name: app, namespace: SPACE}
stringData: {PASSWORD: SECRET-PASSWORD, URL: SECRET-URL, MECHANISM: SHA-256}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/dockerconfigjson
metadata: {name: pull, namespace: SPACE}
stringData: {.dockerconfigjson: '{"auths": {"SECRET-HOST": {}}}'}
---
apiVersion: v1
kind: Secret
type: helm.sh/release.v1
metadata: {name: sh.helm.release.v1.shop.v1, namespace: SPACE, labels: {name: shop, version: "1"}}
stringData: {release: SECRET-RECORD}
---
apiVersion: v1
kind: Secret
metadata: {name: of-the-chart, namespace: SPACE, labels: {app.kubernetes.io/managed-by: Helm}}
stringData: {PASSWORD: SECRET-PASSWORD}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: certificate, namespace: SPACE}
stringData: {tls.crt: SECRET-KEY, tls.key: SECRET-KEY}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: SPACE}
data: {COLOUR: SECRET-COLOUR}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-the-chart, namespace: SPACE, labels: {app.kubernetes.io/managed-by: Helm}}
data: {COLOUR: SECRET-COLOUR}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: budget, namespace: SPACE}
spec: {hard: {requests.cpu: "2"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes, namespace: SPACE}
spec: {limits: [{type: Container, default: {cpu: 200m}}]}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: SPACE}
value: 7
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: SPACE}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: SPACE}
provisioner: csi.example.com
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: SPACE}
spec: {acme: {email: SECRET-URL, server: "https://acme.test", privateKeySecretRef: {name: SECRET-KEY}}}
---
apiVersion: v1
kind: Service
metadata: {name: gate, namespace: SPACE-logs}
spec: {selector: {app: gate}, ports: [{port: 443, targetPort: 4000}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: SPACE}
webhooks:
  - name: gate.example.com
    clientConfig: {service: {name: gate, namespace: SPACE-logs}}
    namespaceSelector: {matchLabels: {only: there}}
    rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
    sideEffects: None
    admissionReviewVersions: [v1]
"""
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: SPACE}
spec:
  nodeName: pool-1
  containers: [{name: web, image: web, resources: {requests: {cpu: 100m}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: gate-1, namespace: SPACE-logs, labels: {app: gate}}
spec:
  nodeName: pool-2
  priorityClassName: SPACE
  initContainers: [{name: first, image: first, resources: {requests: {cpu: 300m, memory: 16Mi}}}]
  containers: [{name: gate, image: gate, resources: {requests: {cpu: 120m, memory: 64Mi}}}]
"""


def objects(text: str, namespace: str) -> list[KubeObject]:
    """Returns the objects of a text above, with the environment in this namespace."""
    return list(yaml.safe_load_all(text.replace("SPACE", namespace)))
