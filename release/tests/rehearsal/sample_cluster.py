"""What somebody has in their cluster: an environment, a neighbour, a webhook, a few classes. SPACE is the
environment's namespace; in capitals too are values that must never be seen elsewhere.
"""

import yaml

from todo_embedded.controlplane.api_client import Manifest

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
metadata: {name: room, namespace: SPACE}
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
provisioner: dobs.csi.digitalocean.com
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: SPACE}
spec: {acme: {email: SECRET-URL, server: "https://acme.test", privateKeySecretRef: {name: SECRET-KEY}}}
---
apiVersion: v1
kind: Service
metadata: {name: door, namespace: SPACE-logs}
spec: {selector: {app: door}, ports: [{port: 443, targetPort: 4000}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: SPACE}
webhooks:
  - name: door.example.com
    clientConfig: {service: {name: door, namespace: SPACE-logs}}
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
metadata: {name: door-1, namespace: SPACE-logs, labels: {app: door}}
spec:
  nodeName: pool-2
  priorityClassName: SPACE
  initContainers: [{name: first, image: first, resources: {requests: {cpu: 300m, memory: 16Mi}}}]
  containers: [{name: door, image: door, resources: {requests: {cpu: 120m, memory: 64Mi}}}]
"""


def objects(text: str, namespace: str) -> list[Manifest]:
    """The objects of a text above, in and around a namespace."""
    return list(yaml.safe_load_all(text.replace("SPACE", namespace)))
