"""What the checks read: a rendered chart and the cluster at one moment, as frozen facts.

A check is a pure function of a snapshot. A fact that could not be read raises `UnreadError` where it is used,
so one forbidden list affects only the rules that need it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from todo_release.adapters.helm.definitions import Definition
from todo_release.adapters.kubernetes.api_resources import SECRETS, Resource
from todo_release.adapters.kubernetes.discovery import ServedResource
from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.config.model import Config, TargetEnvironment
from todo_release.environments.history import DeploymentRecord
from todo_release.preflight.released_images import ReleasedImage


class UnreadError(Exception):
    """A fact is not in the snapshot; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The public part of a TLS Secret."""

    names: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSummary:
    """What is known about a Secret: never a value.

    `keys` maps the names of its keys to fingerprints. Two fingerprints of one snapshot are equal when the
    values are, and reveal nothing else, because their key is thrown away. `registries` are the hosts that a
    pull secret has credentials for; `certificate` is None unless it is a TLS Secret that can be parsed.
    """

    name: str
    type: str = "Opaque"
    keys: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int = 0
    certificate: Certificate | None = None
    registries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLookup:
    """What the registry says about an image; each text is a sentence, all are empty when it can be pulled.

    `missing`: no node can ever pull it. `denied`: the registry refuses the cluster's credentials. `unknown`:
    the registry could not be asked, because it did not answer if `is_unreachable`.
    """

    reference: str
    missing: str = ""
    denied: str = ""
    unknown: str = ""
    is_unreachable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A migration that the running version does not have.

    `mentions` maps a table, or a table and a column, to the first place (`file:line`) in the running
    version's code that names it.
    """

    path: str
    text: str
    mentions: Mapping[tuple[str, ...], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiblingEnvironment:
    """Another environment of the same chart, as it would be rendered now."""

    name: str
    settings: TargetEnvironment
    manifest: RenderedManifest
    topic_prefix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCluster:
    """The cluster at one moment.

    `lists` holds what was read, `unread` why the rest was not. A list in `partial` was meant to span all
    namespaces and holds the environment's namespace only. `word_fingerprints` are those of words that are not
    secret, to compare with the fingerprints of Secrets. `is_installed` says whether Helm has a revision of
    the release, whatever its status is. `running` is the deployed version, `last_manifest` what Helm applied
    for it. `metrics_problem` says what is wrong with the metrics API.
    """

    lists: Mapping[Resource, Sequence[JsonObject]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    partial: frozenset[Resource] = frozenset()
    secrets: Mapping[str, SecretSummary] = field(default_factory=dict)
    word_fingerprints: Mapping[str, str] = field(default_factory=dict)
    served: Sequence[ServedResource] = ()
    version: tuple[int, int] | None = None
    namespace: JsonObject | None = None
    metrics_problem: str = ""
    is_installed: bool = False
    running: str | None = None
    last_manifest: RenderedManifest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightSnapshot:
    """Everything that a check may read.

    `images` are lookups by reference (None: the pull secrets could not be read), `addresses` those of the
    resolved hosts, `contracts` OpenAPI documents by image, `files` texts by path in the work tree.
    `migrations` is None when it is not known which are pending; `migration_scripts` are the texts of all.
    `anonymous_refusal` says why the release's registry does not answer without credentials; it is empty when
    it does or was not asked. `released` are the images of release.yaml by name, `templates` the texts of
    templates by their path in the chart, `other_hooks` its hooks that run only at an install or only at an
    upgrade, which this is not, `definitions` what is in its `crds` folders. `record_bytes` is the
    size of the record that Helm will keep. `parse` returns what is wrong with the arguments of a task, None
    when nothing is.
    """

    environment: str
    version: str
    config: Config
    manifest: RenderedManifest
    live: LiveCluster = field(default_factory=LiveCluster)
    images: Mapping[str, ImageLookup] | None = field(default_factory=dict)
    registry_problem: str = ""
    anonymous_refusal: str = ""
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    records: Sequence[DeploymentRecord] = ()
    siblings: Sequence[SiblingEnvironment] = ()
    topic_prefix: str | None = None
    contracts: Mapping[str, JsonObject] = field(default_factory=dict)
    migrations: Sequence[Migration] | None = ()
    migration_scripts: Mapping[str, str] = field(default_factory=dict)
    released: Mapping[str, ReleasedImage] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    other_hooks: Sequence[RenderedObject] = ()
    definitions: Sequence[Definition] = ()
    record_bytes: int = 0
    files: Mapping[str, str] = field(default_factory=dict)
    parse: Callable[[Sequence[str]], str | None] | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def settings(self) -> TargetEnvironment:
        """Returns the environment's settings in release.yaml."""
        return self.config.environment(self.environment)

    @property
    def namespace(self) -> str:
        """Returns the environment's namespace."""
        return self.settings.namespace

    def in_cluster(self, resource: Resource) -> Sequence[JsonObject]:
        """Returns the objects of a list, of all namespaces if they were read.

        Raises:
            UnreadError: they could not all be read.
        """
        if resource in self.live.partial:
            raise UnreadError(f"{resource} of other namespaces may not be listed")
        return self._list(resource)

    def in_namespace(self, resource: Resource) -> Sequence[JsonObject]:
        """Returns the objects of a list in the environment's namespace, or those that have no namespace.

        Raises:
            UnreadError: they could not be read.
        """
        return [
            item
            for item in self._list(resource)
            if item["metadata"].get("namespace", self.namespace) == self.namespace
        ]

    def find(self, resource: Resource, name: str) -> JsonObject | None:
        """Returns an object in the environment's namespace by its name; None when there is none.

        Raises:
            UnreadError: the list could not be read.
        """
        return next((item for item in self.in_namespace(resource) if item["metadata"]["name"] == name), None)

    def live_of(self, rendered: RenderedObject) -> JsonObject | None:
        """Returns the live object that a rendered one will replace; None when it is new."""
        namespace = rendered.body["metadata"].get("namespace", self.namespace)
        if namespace != self.namespace:
            return None
        return self.find(rendered.resource, rendered.name)

    def secret(self, name: str) -> SecretSummary | None:
        """Returns the summary of a live Secret; None when there is none of that name.

        Raises:
            UnreadError: the Secrets could not be read.
        """
        self._list(SECRETS)
        return self.live.secrets.get(name)

    def _list(self, resource: Resource) -> Sequence[JsonObject]:
        if resource in self.live.lists:
            return self.live.lists[resource]
        raise UnreadError(self.live.unread.get(str(resource), f"{resource} was not read"))
