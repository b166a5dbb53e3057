"""Settings of the third-party components: where a chart comes from, or what must be there already."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from todo_release.config.base import Model
from todo_release.config.model import DnsLabel

ExactVersion = Annotated[str, StringConstraints(pattern=r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ChartSource(Model):
    """One version of one chart."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: ExactVersion = Field(description="An exact version, so that two runs install the same.")
    repository: Annotated[str, StringConstraints(pattern=r"^(https|oci)://[^\s]+[^/\s]$")] = Field(
        description="URL of the repository's index, or of the folder in an OCI registry that has the chart."
    )
    sha256: Sha256 | None = Field(
        default=None,
        description="Digest of the archive (`helm pull`, then sha256sum; an HTTP index has it as `digest`). "
        "Without it the archive that was fetched first is trusted, and its digest recorded in the cluster.",
    )

    @property
    def archive(self) -> str:
        """The file name of its archive, as `helm pull` and `helm package` write it."""
        return f"{self.name}-{self.version}.tgz"


class PresentObject(Model):
    """An object that must be in the cluster, and ready where its kind can say so."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    @property
    def subject(self) -> str:
        """`Deployment/dapr-operator -n dapr-system`."""
        return f"{self.kind}/{self.name}" + (f" -n {self.namespace}" if self.namespace else "")


class Component(Model):
    """A third-party component: installed from a chart, or already there and only checked."""

    is_enabled: bool = Field(
        default=True, alias="enabled", description="Without it the component is left out."
    )
    namespace: DnsLabel
    release: DnsLabel | None = Field(
        default=None, description="Name of the Helm release; else the component's."
    )
    chart: ChartSource | None = None
    values: tuple[str, ...] = Field(default=(), description="Values files, later ones win.")
    applies_definitions: bool = Field(
        default=False,
        alias="definitions",
        description="Apply the chart's crds/ folder on the server before the chart: Helm installs "
        "definitions once and never upgrades them.",
    )
    replace: dict[str, str] = Field(
        default_factory=dict,
        description="Values in the definitions that are placeholders, with what stands for them.",
    )
    secrets: dict[DnsLabel, dict[str, str]] = Field(
        default_factory=dict,
        description="Secrets that the chart expects, created when they are missing and never changed; the "
        "value `random` becomes a random password.",
    )
    needs_secrets: dict[DnsLabel, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Secrets that only a person can fill, with their keys; without them the chart is not "
        "installed, because its pods would never start.",
    )
    present: tuple[PresentObject, ...] = Field(
        default=(),
        description="The cluster has this component from somebody else: nothing is installed, these objects "
        "are checked.",
    )
    timeout_seconds: float = Field(default=600, gt=0, description="Longest until its pods are ready.")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.chart is None and not self.present:
            raise ValueError("name its chart, or under `present` the objects that show that it is there")
        return self

    @property
    def is_adopted(self) -> bool:
        """Whether somebody else installed it."""
        return bool(self.present)
