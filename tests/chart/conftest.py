"""The chart as `helm template` renders it, parsed, once for each environment and set of values."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "chart"
VALUES_KEYS = ("frontend", "backend", "mcp", "notification", "sseGateway")

# What the release engine adds to an environment's values file: a host, and the digests of a release.
RELEASED = {
    key: {"image": {"digest": f"sha256:{number:064x}"}} for number, key in enumerate(VALUES_KEYS, start=1)
}


@dataclass(frozen=True)
class Environment:
    """An installation of the chart: release, namespace, values files and what the release engine sets."""

    release: str
    namespace: str
    files: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


ENVIRONMENTS = {
    "local": Environment("todo-app", "default"),
    "staging": Environment(
        "todo-app-staging",
        "staging",
        ("values-staging.yaml",),
        {**RELEASED, "ingress": {"host": "staging.todo.example.com"}},
    ),
    "production": Environment(
        "todo-app",
        "production",
        ("values-production.yaml",),
        {**RELEASED, "ingress": {"host": "todo.example.com"}},
    ),
}


@dataclass(frozen=True)
class Rendered:
    """The objects of one rendering."""

    objects: tuple[dict[str, Any], ...]

    def names(self) -> set[tuple[str, str]]:
        """Returns (kind, name) of every object."""
        return {(item["kind"], item["metadata"]["name"]) for item in self.objects}

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Returns the objects of some kinds, at least one, so that a loop over them is never empty."""
        found = [item for item in self.objects if item["kind"] in kinds]
        assert found, f"nothing of kind {kinds} was rendered"
        return found

    def one(self, kind: str, suffix: str = "") -> dict[str, Any]:
        """Returns the only object of a kind whose name has a suffix."""
        [found] = [item for item in self.of_kind(kind) if item["metadata"]["name"].endswith(suffix)]
        return found

    def pod_templates(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields name and pod template of every workload, including Jobs."""
        for item in self.of_kind("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]

    def containers(self) -> list[tuple[str, dict[str, Any]]]:
        """Returns (workload, container) of every container."""
        return [
            (name, item) for name, template in self.pod_templates() for item in template["spec"]["containers"]
        ]

    def services(self) -> list[dict[str, Any]]:
        """Returns the Deployments of the five services."""
        found = [
            item for item in self.of_kind("Deployment") if not item["metadata"]["name"].endswith("-redis")
        ]
        assert len(found) == 5
        return found


def helm_template(
    environment: Environment, values: Mapping[str, Any], chart: Path = CHART
) -> subprocess.CompletedProcess[str]:
    """Runs `helm template` with an environment's values files and more values over them."""
    command = ["helm", "template", environment.release, str(chart), "--namespace", environment.namespace]
    for file in environment.files:
        command += ["--values", str(CHART / file)]
    # Helm reads YAML, and JSON is valid YAML.
    text = json.dumps(merged(environment.values, values))
    return subprocess.run(
        [*command, "--values", "-"], input=text, capture_output=True, text=True, check=False, timeout=60
    )


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `override` merged over `base`, map by map, as Helm merges values files."""
    result = dict(base)
    for key, value in override.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    """Renders an environment with more values: `render("staging", {"hpa": {"enabled": True}})`."""
    # Hundreds of tests use a dozen renderings.
    known: dict[tuple[str, str, Path], Rendered] = {}

    def call(
        environment: str, values: Mapping[str, Any] = MappingProxyType({}), *, chart: Path = CHART
    ) -> Rendered:
        key = environment, json.dumps(dict(values), sort_keys=True), chart
        if key not in known:
            finished = helm_template(ENVIRONMENTS[environment], values, chart)
            assert finished.returncode == 0, finished.stderr
            known[key] = Rendered(tuple(item for item in yaml.safe_load_all(finished.stdout) if item))
        return known[key]

    return call


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    """Returns Helm's error for values that must be refused; fails the test when they are rendered."""

    def call(environment: str, values: Mapping[str, Any]) -> str:
        finished = helm_template(ENVIRONMENTS[environment], values)
        assert finished.returncode != 0, "the values were rendered"
        return finished.stderr

    return call


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    return str(request.param)


@pytest.fixture
def rendered(render: Callable[..., Rendered], environment: str) -> Rendered:
    """The rendered chart of each environment."""
    return render(environment)
