"""The typed form of cluster.yaml, which holds all that the operator's commands know about the cluster.

Each subject's settings are a model of their own; a key that is not known is an error.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from todo_cluster.config.backup import BackupSettings
from todo_cluster.config.components import Component
from todo_cluster.config.costs import CostSettings
from todo_cluster.config.kafka import KafkaSettings
from todo_cluster.config.provider import DigitalOceanCluster
from todo_release.config.base import Model
from todo_release.config.model import DnsLabel

FILE_NAME = "cluster.yaml"


class ChartSettings(Model):
    """Where the archives of the charts are."""

    mirror: str | None = Field(
        default=None,
        description="Folder with archives NAME-VERSION.tgz, used before any repository: for a cluster "
        "without internet. A relative path starts at the repository's root.",
    )


class Issuer(Model):
    """One ClusterIssuer."""

    name: DnsLabel
    server: Annotated[str, StringConstraints(pattern=r"^https://")] = Field(
        description="Directory URL of the ACME server."
    )


class IssuerSettings(Model):
    """The certificate authority: a server for trials, and the real one, which has tight limits."""

    email: Annotated[str, StringConstraints(pattern=r"^[^\s@]+@[^\s@]+\.[^\s@]+$")] = Field(
        description="Where the authority writes about certificates that expire."
    )
    staging: Issuer
    production: Issuer
    ca_file: str | None = Field(
        default=None, description="PEM file that the servers' own certificates are trusted by, if not public."
    )
    ingress_class: DnsLabel = "nginx"
    timeout_seconds: float = Field(default=300, gt=0, description="Longest that a trial certificate takes.")


class AccessSettings(Model):
    """The kubeconfig of each environment's account, for a machine that releases."""

    account: DnsLabel = "deployer"
    hours: int = Field(default=24, ge=1, le=8760, description="How long its token is valid.")


class ClusterConfig(Model):
    """All of cluster.yaml."""

    provider: Literal["digitalocean", "existing"] = Field(
        description="Who makes the cluster: DigitalOcean, or nobody, because `context` leads to one."
    )
    context: str | None = Field(default=None, description="Context in the kubeconfig of an existing cluster.")
    digitalocean: DigitalOceanCluster | None = None
    manifests: tuple[str, ...] = Field(
        default=(), description="Files with our own objects, applied on the server in this order."
    )
    charts: ChartSettings = Field(default_factory=ChartSettings)
    components: dict[DnsLabel, Component] = Field(
        default_factory=dict, description="Third-party components, installed in this order."
    )
    workloads: str | None = Field(
        default=None,
        description="File with the workloads that the charts make, each labelled with its component, for the "
        "sums of requests before anything is installed.",
    )
    issuers: IssuerSettings | None = None
    access: AccessSettings = Field(default_factory=AccessSettings)
    costs: CostSettings | None = None
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    backup: BackupSettings = Field(default_factory=BackupSettings)

    @model_validator(mode="after")
    def _has_provider_settings(self) -> Self:
        if self.provider == "digitalocean" and self.digitalocean is None:
            raise ValueError("provider is digitalocean, but there is no `digitalocean`")
        if self.provider == "existing" and not self.context:
            raise ValueError("provider is existing, but `context` names none")
        return self

    @property
    def enabled(self) -> dict[str, Component]:
        """The components that this cluster has."""
        return {name: component for name, component in self.components.items() if component.is_enabled}
