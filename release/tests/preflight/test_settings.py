"""The `preflight` part of release.yaml: what is specific to the provider of the clusters."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from todo_release.config.loader import load
from todo_release.config.preflight import PreflightSettings

ROOT = Path(__file__).parents[3]


def test_cluster_pattern_of_this_repository_finds_the_providers_command() -> None:
    """The command is found with and without flags, and the pattern does not find itself in release.yaml."""
    pattern = load(ROOT).preflight.cluster_pattern
    assert pattern is not None
    commands = "cluster kubeconfig save shop\ncluster kubeconfig save --expiry-seconds=600 --wait other\n"
    assert re.findall(pattern, commands) == ["shop", "other"]
    assert re.findall(pattern, (ROOT / "release.yaml").read_text(encoding="utf-8")) == []


def test_cluster_file_of_this_repository_names_the_cluster_of_the_contexts() -> None:
    """A file in which the pattern finds nothing would leave the name of the cluster unchecked."""
    config = load(ROOT)
    pattern = config.preflight.cluster_pattern or ""
    (file,) = config.preflight.cluster_files
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    (name,) = [found for line in lines for found in re.findall(pattern, line)]
    assert all(environment.context.endswith(f"-{name}") for environment in config.environments.values())


def test_node_pools_of_this_repository_are_labelled_by_the_provider() -> None:
    """The label and the limit decide how many nodes preflight may assume."""
    pools = load(ROOT).preflight.node_pools
    assert pools is not None
    assert (pools.label, pools.max_nodes) == ("doks.digitalocean.com/node-pool", 5)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("save (", "this is not a regular expression"),
        ("save [a-z]+", "must have one group, and has 0"),
        ("(save) ([a-z]+)", "must have one group, and has 2"),
    ],
)
def test_cluster_pattern_without_exactly_one_group_is_refused(pattern: str, problem: str) -> None:
    """The group is the name of the cluster."""
    with pytest.raises(ValidationError, match=problem):
        PreflightSettings(cluster_pattern=pattern)
