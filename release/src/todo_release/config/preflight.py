"""The settings of `preflight` in release.yaml: what it cannot see, and what is accepted for a while."""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from todo_release.config.base import Model, ValuesPath


def _one_group(pattern: str) -> str:
    """Returns a regular expression that has one group.

    Raises:
        ValueError: It is not valid, or has another number of groups.
    """
    try:
        groups = re.compile(pattern).groups
    except re.error as invalid:
        raise ValueError(f"this is not a regular expression: {invalid}") from invalid
    if groups != 1:
        raise ValueError(f"the regular expression must have one group, and has {groups}")
    return pattern


OneGroupPattern = Annotated[str, AfterValidator(_one_group)]


class NodePools(Model):
    """The node pools of a cluster that adds nodes by itself."""

    label: str = Field(description="Label that the provider puts on every node of a pool.")
    max_nodes: int = Field(ge=1, description="How many nodes the pools may have together.")


class Waiver(Model):
    """A finding of preflight that is accepted until a day: it becomes a note with the reason."""

    check: str = Field(description="The check that finds it, as in `inv preflight`: capacity.")
    object: str = Field(description="The object or file that it is about, * matches anything: Deployment/*.")
    reason: Annotated[str, StringConstraints(pattern=r"\S")] = Field(description="Why it is accepted.")
    until: date = Field(description="The last day on which it is accepted: 2027-01-31.")
    environment: str | None = Field(
        default=None, description="The only environment in which it is accepted; by default all."
    )


class PreflightSettings(Model):
    """What preflight must know and finds neither in the chart nor in the cluster."""

    node_pools: NodePools | None = Field(
        default=None, description="How far the cluster grows by itself; without it, it does not grow."
    )
    cluster_pattern: OneGroupPattern | None = Field(
        default=None,
        description="Regular expression that finds commands which name the cluster in workflows and "
        "`cluster_files`; its one group is the name. An environment's `context` must equal it or end in "
        "-NAME. Without it, names are not compared.",
    )
    cluster_files: tuple[str, ...] = Field(
        default=(), description="Pathspecs of files besides workflows in which `cluster_pattern` is searched."
    )
    topic_prefix: ValuesPath | None = Field(
        default=None,
        description="Value that all topics' names begin with; environments on one broker must differ in it.",
    )
    public_urls: tuple[str, ...] = Field(
        default=(), description="Environment variables that hold an address which browsers use."
    )
    waivers: tuple[Waiver, ...] = Field(
        default=(), description="Findings that are accepted for a while; errors and warnings become notes."
    )
