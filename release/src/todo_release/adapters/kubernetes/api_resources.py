"""The engine's one table of Kubernetes API paths: which list holds the objects of a kind."""

from dataclasses import dataclass

from todo_embedded.controlplane.object_paths import plural_of


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A list of the API server; `root` is its group and version (`apis/apps/v1`)."""

    root: str
    plural: str
    is_namespaced: bool = True

    def __str__(self) -> str:
        """Returns `deployments.apps`, as kubectl writes it."""
        parts = self.root.split("/")
        return f"{self.plural}.{parts[1]}" if len(parts) == 3 else self.plural

    def path(self, namespace: str | None = None) -> str:
        """Returns the path below the server's root (`apis/apps/v1/namespaces/staging/deployments`).

        Without a namespace, and for objects that have none, it is the list of the whole cluster.
        """
        if namespace is None or not self.is_namespaced:
            return f"{self.root}/{self.plural}"
        return f"{self.root}/namespaces/{namespace}/{self.plural}"


ADMISSION = "apis/admissionregistration.k8s.io/v1"
GATEWAY = "apis/gateway.networking.k8s.io/v1"

NODES = Resource("api/v1", "nodes", is_namespaced=False)
NAMESPACES = Resource("api/v1", "namespaces", is_namespaced=False)
GATEWAY_CLASSES = Resource(GATEWAY, "gatewayclasses", is_namespaced=False)
INGRESS_CLASSES = Resource("apis/networking.k8s.io/v1", "ingressclasses", is_namespaced=False)
STORAGE_CLASSES = Resource("apis/storage.k8s.io/v1", "storageclasses", is_namespaced=False)
VOLUMES = Resource("api/v1", "persistentvolumes", is_namespaced=False)
PRIORITY_CLASSES = Resource("apis/scheduling.k8s.io/v1", "priorityclasses", is_namespaced=False)
CLUSTER_ISSUERS = Resource("apis/cert-manager.io/v1", "clusterissuers", is_namespaced=False)
MUTATING_WEBHOOKS = Resource(ADMISSION, "mutatingwebhookconfigurations", is_namespaced=False)
VALIDATING_WEBHOOKS = Resource(ADMISSION, "validatingwebhookconfigurations", is_namespaced=False)
DEFINITIONS = Resource("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", is_namespaced=False)

PODS = Resource("api/v1", "pods")
EVENTS = Resource("api/v1", "events")
SERVICES = Resource("api/v1", "services")
SECRETS = Resource("api/v1", "secrets")
CONFIG_MAPS = Resource("api/v1", "configmaps")
SERVICE_ACCOUNTS = Resource("api/v1", "serviceaccounts")
VOLUME_CLAIMS = Resource("api/v1", "persistentvolumeclaims")
QUOTAS = Resource("api/v1", "resourcequotas")
LIMIT_RANGES = Resource("api/v1", "limitranges")
LEASES = Resource("apis/coordination.k8s.io/v1", "leases")
DEPLOYMENTS = Resource("apis/apps/v1", "deployments")
REPLICA_SETS = Resource("apis/apps/v1", "replicasets")
STATEFUL_SETS = Resource("apis/apps/v1", "statefulsets")
DAEMON_SETS = Resource("apis/apps/v1", "daemonsets")
JOBS = Resource("apis/batch/v1", "jobs")
ENDPOINT_SLICES = Resource("apis/discovery.k8s.io/v1", "endpointslices")
INGRESSES = Resource("apis/networking.k8s.io/v1", "ingresses")
GATEWAYS = Resource(GATEWAY, "gateways")
HTTP_ROUTES = Resource(GATEWAY, "httproutes")
AUTOSCALERS = Resource("apis/autoscaling/v2", "horizontalpodautoscalers")
CERTIFICATES = Resource("apis/cert-manager.io/v1", "certificates")
ISSUERS = Resource("apis/cert-manager.io/v1", "issuers")
CONFIGURATIONS = Resource("apis/dapr.io/v1alpha1", "configurations")

CLUSTER_SCOPED = (
    NODES, NAMESPACES, INGRESS_CLASSES, GATEWAY_CLASSES, STORAGE_CLASSES, PRIORITY_CLASSES, CLUSTER_ISSUERS,
    MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, DEFINITIONS, VOLUMES,
)  # fmt: skip


def root_of(api_version: str) -> str:
    """Returns the path of a group and version: `apis/apps/v1`, and `api/v1` for the core group."""
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"


def resource_of(api_version: str, kind: str) -> Resource:
    """Returns the list that holds the objects of a kind.

    A kind that is not in `CLUSTER_SCOPED` is taken for a namespaced one.
    """
    root, plural = root_of(api_version), plural_of(kind)
    cluster_scoped = Resource(root, plural, is_namespaced=False)
    return cluster_scoped if cluster_scoped in CLUSTER_SCOPED else Resource(root, plural)
