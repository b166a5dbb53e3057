"""release.yaml, typed: all the engine knows about an application stands there.

Strings may hold `${name}`, replaced from `variables`. docs/release.schema.json is generated from these
classes by `config.schema`.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from todo_release.errors import ConfigError

FILE_NAME = "release.yaml"

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$")]
DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
ValuesPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/")]
Scalar = str | int | float | bool


class Model(BaseModel):
    """Frozen, and an unknown key is a mistake rather than a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RegistrySettings(Model):
    """Where images go: an image is pushed to `<repository>/<image name>`."""

    repository: Annotated[str, StringConstraints(pattern=r"^[^/\s@]+/[^\s@]*[^/\s@]$")] = Field(
        description="Registry host and path, without a scheme: ghcr.io/owner/project."
    )
    insecure: bool = Field(default=False, description="Speak plain HTTP to the registry.")
    platform: str = Field(default="linux/amd64", description="The platform of the cluster's nodes.")

    @property
    def host(self) -> str:
        """Host, with port if given."""
        return self.repository.split("/", 1)[0]

    def path(self, image: str) -> str:
        """Path of an image's repository on the host."""
        return f"{self.repository.split('/', 1)[1]}/{image}"

    def reference(self, image: str) -> str:
        """Full name of an image's repository, without tag or digest."""
        return f"{self.repository}/{image}"


class ChartSettings(Model):
    """The Helm chart, and the values file that holds the image digests."""

    path: str = "chart"
    values: str = "chart/values.yaml"

    @property
    def file(self) -> str:
        """The file with the chart's name and version."""
        return f"{self.path}/Chart.yaml"


class ChangelogSettings(Model):
    """The changelog, and the folder of the news fragments that a release collects into it."""

    file: str = "CHANGELOG.md"
    fragments: str = "changelog.d"


class Image(Model):
    """One image: the files named by `inputs` without `exclude` are its identity and its build context."""

    context: str = Field(default=".", description="Folder that paths in the Dockerfile are relative to.")
    dockerfile: str = Field(description="Path of the Dockerfile from the repository's root.")
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Git pathspecs (folders, files, ** globs) from the repository's root."
    )
    exclude: tuple[str, ...] = Field(default=(), description="Pathspecs taken out of the inputs again.")
    build_args: dict[str, str] = Field(
        default_factory=dict, description="Build arguments, part of the identity."
    )
    values: ValuesPath = Field(description="Mapping in the values file that gets repository, tag and digest.")
    health: tuple[UrlPath, ...] = Field(
        default=(), description="Paths that answer without a login; probes may ask for these."
    )
    contract: str | None = Field(
        default=None,
        description="OpenAPI document (JSON) of what the image serves; its paths are `routes` too.",
    )
    routes: tuple[UrlPath, ...] = Field(
        default=(), description="Public paths that an Ingress must send to this image."
    )


class HttpCheck(Model):
    """A request that must be answered as stated."""

    path: UrlPath
    status: int = 200
    json_: dict[str, Any] | None = Field(
        default=None, alias="json", description="Keys and values that the JSON answer must contain."
    )
    contains: str | None = Field(default=None, description="Text that the body must contain.")


class TlsCheck(Model):
    """The certificate must be trusted, name the host, and be valid for a while yet."""

    days: int = Field(default=7, ge=0, description="Days that the certificate must still be valid.")


class SmokeSettings(Model):
    """What must hold of a running environment, checked from outside through its URL."""

    http: tuple[HttpCheck, ...] = ()
    tls: TlsCheck | None = None
    transaction: bool = Field(default=False, description="Run the application's synthetic transaction.")
    connect_to: str | None = Field(
        default=None,
        description="Connect to this host:port instead of the URL's (the URL's name is still sent).",
    )
    ca_file: str | None = Field(default=None, description="Trust this certificate authority too (PEM file).")
    timeout_seconds: float = Field(
        default=60, gt=0, description="How long a check may keep failing before it fails."
    )


class Environment(Model):
    """One place the application runs in."""

    context: str = Field(description="Context in the kubeconfig.")
    namespace: DnsLabel
    release: DnsLabel = Field(description="Name of the Helm release.")
    values: tuple[str, ...] = Field(default=(), description="Values files, later ones win.")
    set: dict[ValuesPath, Scalar] = Field(
        default_factory=dict, description="Single values, winning over the files."
    )
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")]
    requires: str | None = Field(
        default=None,
        description="Environment that must have verified the same digests before this one gets them.",
    )
    confirm: bool = Field(default=False, description="Ask a person before deploying here.")
    timeout_seconds: float = Field(default=600, gt=0, description="Longest a rollout may take.")
    smoke: SmokeSettings = Field(
        default_factory=SmokeSettings, description="What differs here from the common smoke checks."
    )


class PreflightSettings(Model):
    """What the checks before a release must know that neither the chart nor the cluster says."""

    max_nodes: int | None = Field(
        default=None, ge=1, description="How many nodes the cluster may grow to by itself; none: it does not."
    )
    topic_prefix: ValuesPath | None = Field(
        default=None,
        description="Value that all topics' names begin with; environments on one broker must differ in it.",
    )
    public_urls: tuple[str, ...] = Field(
        default=(), description="Environment variables that hold an address which browsers use."
    )


class RehearsalSettings(Model):
    """What a rehearsal's cluster has before a release comes, beside an empty namespace per environment."""

    manifests: tuple[str, ...] = Field(
        default=(), description="Files with objects that are made first, in this order."
    )
    secrets: dict[DnsName, dict[str, str]] = Field(
        default_factory=dict,
        description="Secrets of every environment: keys, each with a value that is no secret, or empty where "
        "it does not matter; `.dockerconfigjson` makes a pull secret.",
    )


class Config(Model):
    """The whole of release.yaml."""

    name: DnsLabel
    branch: str = Field(default="main", description="The only branch releases are made from.")
    remote: str | None = Field(
        default=None, description="Git remote for commits and tags; none keeps them local."
    )
    github: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] | None = Field(
        default=None, description="owner/name; with $GITHUB_TOKEN, versions get a release page there."
    )
    variables: dict[str, str] = Field(default_factory=dict)
    registry: RegistrySettings
    build_cache: str | None = Field(
        default=None,
        description="Where `docker buildx` keeps layers between machines (as in --cache-to); {image} is the "
        "image's name. Other engines keep their own.",
    )
    parallel_builds: int = Field(
        default=3, ge=1, description="How many images may be built at the same time."
    )
    chart: ChartSettings = Field(default_factory=ChartSettings)
    changelog: ChangelogSettings | None = Field(default=None, description="Without it, none is kept.")
    images: Annotated[dict[DnsLabel, Image], Field(min_length=1)]
    environments: Annotated[dict[DnsLabel, Environment], Field(min_length=1)]
    smoke: SmokeSettings = Field(default_factory=SmokeSettings)
    preflight: PreflightSettings = Field(default_factory=PreflightSettings)
    rehearsal: RehearsalSettings = Field(default_factory=RehearsalSettings)
    migrations: tuple[str, ...] = Field(
        default=(), description="Pathspecs of database migrations, which a rollback does not take back."
    )

    @property
    def image_paths(self) -> dict[str, str]:
        """Where each image's reference stands in the chart's values file, dotted."""
        return {name: image.values for name, image in self.images.items()}

    def environment(self, name: str) -> Environment:
        """The environment of that name.

        Raises:
            ConfigError: there is none.
        """
        if name not in self.environments:
            raise ConfigError(
                f"There is no environment {name!r}.", remedy=f"Choose one of: {', '.join(self.environments)}."
            )
        return self.environments[name]

    def deploy_order(self, last: str | None = None) -> tuple[str, ...]:
        """Names of the environments up to `last`, by default all: each after the one it requires, otherwise
        as written.

        Raises:
            ConfigError: there is no environment `last`.
        """
        ordered: list[str] = []
        while len(ordered) < len(self.environments):
            ordered += [
                name
                for name, environment in self.environments.items()
                if name not in ordered and (environment.requires is None or environment.requires in ordered)
            ]
        if last is not None:
            self.environment(last)
            ordered = ordered[: ordered.index(last) + 1]
        return tuple(ordered)

    def smoke_of(self, name: str) -> SmokeSettings:
        """The common smoke checks with what the environment says differently."""
        own = self.environment(name).smoke
        return self.smoke.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})
