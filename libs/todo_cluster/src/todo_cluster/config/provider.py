"""Settings of the cluster itself: DigitalOcean's managed Kubernetes, or one that is there already."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from todo_release.config.base import Model
from todo_release.config.model import DnsLabel


class NodePool(Model):
    """The pool of nodes, which grows and shrinks by itself between two counts."""

    name: DnsLabel = "default"
    size: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] = Field(
        description="Slug of the nodes' size; no call changes the size of an existing pool."
    )
    min_nodes: int = Field(ge=1)
    max_nodes: int = Field(ge=1, le=25, description="A new account may have 25 machines in all.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.max_nodes < self.min_nodes:
            raise ValueError(f"max_nodes {self.max_nodes} is less than min_nodes {self.min_nodes}")
        return self


class DigitalOceanCluster(Model):
    """A cluster of DigitalOcean; one of this name in this region is adopted and never created again."""

    name: DnsLabel
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{3}\d$")]
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+(\.\d+-do\.\d+)?$")] = Field(
        description="A version that /v2/kubernetes/options offers, or a minor version: then its newest."
    )
    # No default: from version 1.36 the API takes a missing value for true, which is billed and stays so.
    ha: bool = Field(description="A highly available control plane; it is billed and cannot be switched off.")
    pool: NodePool
    kubeconfig_hours: int = Field(default=24, ge=1, le=168, description="How long its kubeconfig is valid.")
    timeout_seconds: float = Field(default=1800, gt=0, description="Longest until a new cluster runs.")
    api: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+[^/\s]$")] = (
        "https://api.digitalocean.com"
    )
