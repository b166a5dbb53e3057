"""The typed form of release.yaml, which holds all that the engine knows about an application.

Strings may contain `${name}`, which is replaced from `variables`. docs/release.schema.json is generated from
these classes by `config.schema`.
"""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from todo_release.config.base import Model, ValuesPath
from todo_release.config.health_watch import HealthWatchSettings, MarkSettings
from todo_release.config.image_parts import ImageValues
from todo_release.config.preflight import PreflightSettings
from todo_release.config.rollout import RolloutSettings
from todo_release.errors import ConfigError

FILE_NAME = "release.yaml"
COMMAND_VARIABLES = ("url", "version")  # of `smoke.commands[].argv`, replaced when the program is started

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$")]
DnsName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/")]
SetValue = str | int | float | bool


class RegistrySettings(Model):
    """Where images go: an image is pushed to `<repository>/<image name>`."""

    repository: Annotated[str, StringConstraints(pattern=r"^[^/\s@]+/[^\s@]*[^/\s@]$")] = Field(
        description="Registry host and path, without a scheme: ghcr.io/owner/project."
    )
    insecure: bool = Field(default=False, description="Use plain HTTP for the registry.")
    platform: str = Field(default="linux/amd64", description="The platform of the cluster's nodes.")

    @property
    def host(self) -> str:
        """Returns the host, with its port if there is one."""
        return self.repository.split("/", 1)[0]

    def path(self, image: str) -> str:
        """Returns the path of an image's repository on the host."""
        return f"{self.repository.split('/', 1)[1]}/{image}"

    def reference(self, image: str) -> str:
        """Returns the full name of an image's repository, without tag or digest."""
        return f"{self.repository}/{image}"


class ChartSettings(Model):
    """The Helm chart, and the values file that holds the image digests."""

    path: str = "chart"
    values: str = "chart/values.yaml"
    dependencies: Literal["committed", "build"] = Field(
        default="committed",
        description="Where the charts come from that Chart.yaml depends on: committed in its charts folder, "
        "or built by each release with `helm dependency build` from Chart.lock.",
    )

    @property
    def file(self) -> str:
        """Returns the path of the file with the chart's name and version."""
        return f"{self.path}/Chart.yaml"


class ChangelogSettings(Model):
    """The changelog, and the folder of the news fragments that a release collects into it."""

    file: str = "CHANGELOG.md"
    fragments: str = "changelog.d"


class ImageSettings(Model):
    """One image; the files of `inputs` without `exclude` are its identity and its build context."""

    context: str = Field(default=".", description="Folder that paths in the Dockerfile are relative to.")
    dockerfile: str = Field(description="Path of the Dockerfile from the repository's root.")
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Git pathspecs (folders, files, ** globs) from the repository's root."
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="Pathspecs of files that are left out of the inputs."
    )
    build_args: dict[str, str] = Field(
        default_factory=dict, description="Build arguments, part of the identity."
    )
    values: ImageValues = Field(
        description="Where the values file names the image: a dotted path, or a list of them. At each is a "
        "mapping with some of registry, repository, tag and digest, or a single text: a tag or a digest, "
        "if the key ends so, else repository:tag@digest. Images may share a tag; it is then the version's."
    )
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


class AnsweredBuild(Model):
    """Where an answer says which build of an image gave it, so that answers of old pods do not count.

    The build is what the image got as build argument BUILD_ID. The check passes when several answers in a row
    come from the released build.
    """

    image: DnsLabel
    json_: str | None = Field(default=None, alias="json", description="Key of the JSON answer that has it.")
    header: str | None = Field(default=None, description="Header of the answer that has it.")
    answers: int = Field(default=3, ge=1, description="How many answers in a row must have it.")

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.json_ is None) == (self.header is None):
            raise ValueError("state one of json and header")
        return self


class HttpCheck(Model):
    """A request that must be answered as stated."""

    path: UrlPath
    status: int = 200
    json_: dict[str, Any] | None = Field(
        default=None, alias="json", description="Keys and values that the JSON answer must contain."
    )
    contains: str | None = Field(default=None, description="Text that the body must contain.")
    build: AnsweredBuild | None = Field(
        default=None, description="Where the answer says which build gave it; without it, any pod may answer."
    )


class TlsCheck(Model):
    """The certificate must be trusted, name the host, and be valid for a while yet."""

    days: int = Field(default=7, ge=0, description="Days that the certificate must still be valid.")


class SmokeCommand(Model):
    """A program that checks a running environment in ways that a single request cannot.

    It prints one JSON object a line on stdout for each step: {"step": text, "milliseconds": number} and
    optionally "detail" or, for a step that failed, "error", both text. All other output is shown only when
    the program fails. Exit code 0 means passed. What looks like a secret is masked wherever output is shown.
    """

    name: Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$")] = Field(
        description="What the check is called in output and reports."
    )
    argv: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="The program and its arguments; no shell is involved. `${url}` and `${version}` are "
        "replaced by the environment's URL and the version that is checked. A program without a slash is "
        "looked for on PATH and beside the Python interpreter; another path starts at the repository's root, "
        "where the program runs. `connect_to` and `ca_file`, where set, reach it in its environment as "
        "SMOKE_CONNECT_TO (host:port) and SMOKE_CA_FILE (absolute path)."
    )
    timeout_seconds: float = Field(
        default=60, gt=0, description="Longest that one run of the program may take; then it is ended."
    )


class SmokeSettings(Model):
    """What must hold of a running environment, checked from outside through its URL."""

    http: tuple[HttpCheck, ...] = ()
    tls: TlsCheck | None = None
    commands: tuple[SmokeCommand, ...] = Field(
        default=(), description="Programs that check more than a single request can."
    )
    connect_to: str | None = Field(
        default=None,
        description="Connect to this host:port instead of the URL's (the URL's name is still sent).",
    )
    ca_file: str | None = Field(
        default=None,
        description="Trust this certificate authority too (PEM file; a relative path starts at the "
        "repository's root).",
    )
    timeout_seconds: float = Field(
        default=60, gt=0, description="How long a check may keep failing before it fails."
    )

    @property
    def needs_version(self) -> bool:
        """Whether a program is given the version."""
        return any("${version}" in argument for command in self.commands for argument in command.argv)


class TargetEnvironment(Model):
    """One environment that the application runs in."""

    context: str = Field(description="Context in the kubeconfig.")
    namespace: DnsLabel
    release: DnsLabel = Field(description="Name of the Helm release.")
    values: tuple[str, ...] = Field(default=(), description="Values files, later ones win.")
    set: dict[ValuesPath, SetValue] = Field(
        default_factory=dict, description="Single values, winning over the files."
    )
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")]
    requires: str | None = Field(
        default=None,
        description="Environment that must have verified the same digests before this one gets them.",
    )
    confirm: bool = Field(default=False, description="Ask a person before deploying here.")
    timeout_seconds: float = Field(default=600, gt=0, description="Longest a rollout may take.")
    rollout: RolloutSettings = Field(
        default_factory=RolloutSettings, description="What differs here from the common `rollout` settings."
    )
    smoke: SmokeSettings = Field(
        default_factory=SmokeSettings, description="What differs here from the common smoke checks."
    )
    watch: HealthWatchSettings = Field(
        default_factory=HealthWatchSettings, description="What differs here from the common `watch`."
    )


class RehearsalNodes(Model):
    """Identical simulated nodes of a rehearsal, named PREFIX-1 to PREFIX-COUNT."""

    prefix: DnsLabel = "node"
    count: int = Field(default=3, ge=1)
    capacity: dict[str, str] = Field(
        default_factory=lambda: {"cpu": "2", "memory": "4Gi", "pods": "110"},
        description="Resources of each node, as in `status.capacity`.",
    )
    allocatable: dict[str, str] = Field(
        default_factory=dict,
        description="What pods may request of them, as in `status.allocatable`; others are as in `capacity`.",
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of each node.")


class RehearsalWorkload(Model):
    """Pods in kube-system that take a part of the nodes, as those of the cluster's provider do."""

    kind: Literal["DaemonSet", "Deployment"]
    name: DnsLabel
    replicas: int = Field(default=1, ge=1, description="Pods of a Deployment; a DaemonSet has one per node.")
    requests: dict[str, str] = Field(description="Resources that each pod requests.")


class RehearsalSettings(Model):
    """What the cluster of a rehearsal holds before a release, beside an empty namespace per environment."""

    nodes: Annotated[tuple[RehearsalNodes, ...], Field(min_length=1)] = Field(
        default=(RehearsalNodes(),), description="Simulated nodes, one entry per node pool."
    )
    workloads: tuple[RehearsalWorkload, ...] = Field(
        default=(), description="What the cluster's provider runs on the nodes."
    )
    manifests: tuple[str, ...] = Field(
        default=(), description="Files with objects that are created first, in this order."
    )
    secrets: dict[DnsName, dict[str, str]] = Field(
        default_factory=dict,
        description="Secrets of every environment: keys with a harmless value, or an empty one where it "
        "does not matter; `.dockerconfigjson` makes a pull secret.",
    )


class Config(Model):
    """All of release.yaml."""

    name: DnsLabel
    branch: str = Field(default="main", description="The branch that releases are made from.")
    hotfix_branches: tuple[str, ...] = Field(
        default=("release/*",),
        description="Patterns of other branches, from which corrections of earlier versions are released. "
        "Such a version follows the versions that its branch contains.",
    )
    tag_prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$")] = Field(
        default="v",
        description="What the tag of every version begins with; other tags name no version. May be empty.",
    )
    remote: str | None = Field(
        default=None, description="Git remote for commits and tags; without it they stay local."
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
    images: Annotated[dict[DnsLabel, ImageSettings], Field(min_length=1)]
    environments: Annotated[dict[DnsLabel, TargetEnvironment], Field(min_length=1)]
    rollout: RolloutSettings = Field(default_factory=RolloutSettings)
    smoke: SmokeSettings = Field(default_factory=SmokeSettings)
    watch: HealthWatchSettings = Field(
        default_factory=HealthWatchSettings,
        description="How a version is watched after its verification, and taken back when it fails.",
    )
    marks: MarkSettings = Field(default_factory=MarkSettings)
    preflight: PreflightSettings = Field(default_factory=PreflightSettings)
    rehearsal: RehearsalSettings = Field(default_factory=RehearsalSettings)
    migrations: tuple[str, ...] = Field(
        default=(), description="Pathspecs of database migrations, which a rollback does not undo."
    )

    @model_validator(mode="after")
    def _has_prometheus_where_needed(self) -> Self:
        for name in self.environments:
            watch = self.watch_of(name)
            if watch.needs_prometheus and watch.prometheus is None:
                raise ValueError(f"watch of {name} needs `prometheus`, for its source or its alerts")
        return self

    def release_branch(self, checked_out: str | None) -> str:
        """Returns the branch that is checked out if it is one of hotfixes, otherwise `branch`."""
        is_hotfix = any(fnmatchcase(checked_out or "", pattern) for pattern in self.hotfix_branches)
        return checked_out if checked_out and is_hotfix else self.branch

    def environment(self, name: str) -> TargetEnvironment:
        """Returns the environment of that name.

        Raises:
            ConfigError: There is none.
        """
        if name not in self.environments:
            raise ConfigError(
                f"There is no environment {name!r}.", remedy=f"Choose one of: {', '.join(self.environments)}."
            )
        return self.environments[name]

    def deploy_order(self, last: str | None = None) -> tuple[str, ...]:
        """Returns the names of the environments up to `last`, by default of all.

        Each comes after the one it requires, otherwise in the order of the file.

        Raises:
            ConfigError: There is no environment `last`.
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
        """Returns the common smoke checks with the differences of an environment."""
        own = self.environment(name).smoke
        return self.smoke.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})

    def watch_of(self, name: str) -> HealthWatchSettings:
        """Returns the common settings of `watch` with the differences of an environment."""
        own = self.environment(name).watch
        return self.watch.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})

    def is_watched(self, name: str) -> bool:
        """Returns whether a version is watched in an environment once it is verified."""
        return self.watch_of(name).minutes is not None

    def rollout_of(self, name: str) -> RolloutSettings:
        """Returns the common rollout settings with the differences of an environment."""
        own = self.environment(name).rollout
        return self.rollout.model_copy(update={field: getattr(own, field) for field in own.model_fields_set})

    def hook_timeout_of(self, name: str) -> float:
        """Returns the seconds that all hooks of an environment may take together."""
        return self.rollout_of(name).hook_timeout_seconds or self.environment(name).timeout_seconds
