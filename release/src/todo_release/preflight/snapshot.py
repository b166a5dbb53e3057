"""What the checks look at: a rendered chart and the live world at one moment, as frozen facts.

A check is a pure function of a picture. What could not be read raises `UnreadError` where it is used, so that
one forbidden list silences only the rules that need it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from todo_release.adapters.kubernetes.manifest import Manifest, Rendered
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.config.model import Config, Environment
from todo_release.environments.history import Record


class UnreadError(Exception):
    """A fact is not in the picture; the message says which and why."""


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A list of the API server: of one namespace, or of the whole cluster."""

    root: str
    plural: str
    is_everywhere: bool = False

    def __str__(self) -> str:
        """`deployments.apps`, as kubectl says it."""
        parts = self.root.split("/")
        return f"{self.plural}.{parts[1]}" if len(parts) == 3 else self.plural


NODES = Resource("api/v1", "nodes", is_everywhere=True)
PODS = Resource("api/v1", "pods", is_everywhere=True)
SERVICES = Resource("api/v1", "services", is_everywhere=True)
INGRESSES = Resource("apis/networking.k8s.io/v1", "ingresses", is_everywhere=True)
INGRESS_CLASSES = Resource("apis/networking.k8s.io/v1", "ingressclasses", is_everywhere=True)
STORAGE_CLASSES = Resource("apis/storage.k8s.io/v1", "storageclasses", is_everywhere=True)
PRIORITY_CLASSES = Resource("apis/scheduling.k8s.io/v1", "priorityclasses", is_everywhere=True)
CLUSTER_ISSUERS = Resource("apis/cert-manager.io/v1", "clusterissuers", is_everywhere=True)
MUTATING_WEBHOOKS = Resource(
    "apis/admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", is_everywhere=True
)
VALIDATING_WEBHOOKS = Resource(
    "apis/admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", is_everywhere=True
)
SECRETS = Resource("api/v1", "secrets")
CONFIG_MAPS = Resource("api/v1", "configmaps")
SERVICE_ACCOUNTS = Resource("api/v1", "serviceaccounts")
VOLUME_CLAIMS = Resource("api/v1", "persistentvolumeclaims")
QUOTAS = Resource("api/v1", "resourcequotas")
LIMIT_RANGES = Resource("api/v1", "limitranges")
LEASES = Resource("apis/coordination.k8s.io/v1", "leases")
DEPLOYMENTS = Resource("apis/apps/v1", "deployments")
JOBS = Resource("apis/batch/v1", "jobs")
AUTOSCALERS = Resource("apis/autoscaling/v2", "horizontalpodautoscalers")
CERTIFICATES = Resource("apis/cert-manager.io/v1", "certificates")
ISSUERS = Resource("apis/cert-manager.io/v1", "issuers")
CONFIGURATIONS = Resource("apis/dapr.io/v1alpha1", "configurations")
EVERYWHERE = (
    NODES, PODS, SERVICES, INGRESSES, INGRESS_CLASSES, STORAGE_CLASSES, PRIORITY_CLASSES, CLUSTER_ISSUERS,
    MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a TLS Secret's certificate says; it is public."""

    names: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFacts:
    """What is known of a Secret: never a value.

    `keys` are the names of its keys with a fingerprint each: two fingerprints of one picture are equal when
    the values are, and nothing else can be learnt from them, because their salt was thrown away. `registries`
    are the hosts that a pull secret has credentials for; `certificate` is None unless it is a TLS Secret that
    can be read.
    """

    name: str
    type: str = "Opaque"
    keys: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    certificate: Certificate | None = None
    registries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One kind in one version that the API server serves."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLookup:
    """What the registry says of an image: `missing` when no node can ever pull it, `denied` when it refuses
    the cluster's credentials, `unknown` when it could not be asked; each a sentence, all empty when the image
    is there.
    """

    reference: str
    missing: str = ""
    denied: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A migration that the running version does not have, and what the running version's code says about
    names.

    `mentions` gives for a table, or a table and a column, the first place (`file:line`) in the running
    version that names it.
    """

    path: str
    text: str
    mentions: Mapping[tuple[str, ...], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """Another environment of the same chart, as it would be rendered now."""

    name: str
    settings: Environment
    manifest: Manifest
    topic_prefix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCluster:
    """The cluster at one moment. `lists` holds what was read, `unread` why the rest was not; a list in
    `partial` is of the environment's namespace only, where all of the cluster's were wanted. `words` are
    fingerprints of harmless words, to be compared with those of Secrets.
    """

    lists: Mapping[Resource, Sequence[JsonObject]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    partial: frozenset[Resource] = frozenset()
    secrets: Mapping[str, SecretFacts] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    served: Sequence[Served] = ()
    version: tuple[int, int] | None = None
    namespace: JsonObject | None = None
    metrics: str = ""
    running: str | None = None
    last_manifest: Manifest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightSnapshot:
    """Everything a check may look at.

    `images` are looks by reference (None: the pull secrets could not be read), `addresses` those of the hosts
    that were asked for, `contracts` OpenAPI documents by image, `files` texts by path in the work tree.
    `migrations` is None when it is not known which are pending; `parse` says what is wrong with arguments for
    the tasks, None when nothing is.
    """

    environment: str
    version: str
    config: Config
    manifest: Manifest
    live: LiveCluster = field(default_factory=LiveCluster)
    images: Mapping[str, ImageLookup] | None = field(default_factory=dict)
    registry_problem: str = ""
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    records: Sequence[Record] = ()
    siblings: Sequence[Sibling] = ()
    topic_prefix: str | None = None
    contracts: Mapping[str, JsonObject] = field(default_factory=dict)
    migrations: Sequence[Migration] | None = ()
    files: Mapping[str, str] = field(default_factory=dict)
    parse: Callable[[Sequence[str]], str | None] | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def settings(self) -> Environment:
        """The environment as release.yaml has it."""
        return self.config.environment(self.environment)

    @property
    def namespace(self) -> str:
        """The environment's namespace."""
        return self.settings.namespace

    def all(self, resource: Resource) -> Sequence[JsonObject]:
        """The objects of a list, of all namespaces if it is one of the whole cluster.

        Raises:
            UnreadError: they could not all be read.
        """
        if resource in self.live.partial:
            raise UnreadError(f"{resource} of other namespaces may not be listed")
        return self._list(resource)

    def own(self, resource: Resource) -> Sequence[JsonObject]:
        """The objects of a list in the environment's namespace, or those that have none.

        Raises:
            UnreadError: they could not be read.
        """
        return [
            one
            for one in self._list(resource)
            if one["metadata"].get("namespace", self.namespace) == self.namespace
        ]

    def find(self, resource: Resource, name: str) -> JsonObject | None:
        """One object in the environment's namespace by its name; None when there is none."""
        return next((one for one in self.own(resource) if one["metadata"]["name"] == name), None)

    def live_of(self, rendered: Rendered) -> JsonObject | None:
        """The live object that a rendered one will replace; None when it is new."""
        namespace = rendered.body["metadata"].get("namespace", self.namespace)
        if namespace != self.namespace:
            return None
        return self.find(resource_of(rendered), rendered.name)

    def secret(self, name: str) -> SecretFacts | None:
        """What is known of a live Secret; None when there is none of that name.

        Raises:
            UnreadError: the Secrets could not be read.
        """
        self._list(SECRETS)
        return self.live.secrets.get(name)

    def _list(self, resource: Resource) -> Sequence[JsonObject]:
        if resource in self.live.lists:
            return self.live.lists[resource]
        raise UnreadError(self.live.unread.get(str(resource), f"{resource} was not read"))


def resource_of(rendered: Rendered) -> Resource:
    """The list that an object of the chart is in, its plural guessed as Kubernetes itself guesses it."""
    version, kind = rendered.api_version, rendered.kind.lower()
    root = f"apis/{version}" if "/" in version else f"api/{version}"
    if kind.endswith("s"):
        plural = f"{kind}es"
    else:
        plural = f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"
    everywhere = Resource(root, plural, is_everywhere=True)
    return everywhere if everywhere in EVERYWHERE else Resource(root, plural)
