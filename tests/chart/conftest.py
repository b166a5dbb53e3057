"""The chart as `helm template` renders it, once per environment and set of values, parsed."""

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
    """Where the chart is installed: release, namespace, values file and what the release engine sets."""

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
        """(kind, name) of every object."""
        return {(item["kind"], item["metadata"]["name"]) for item in self.objects}

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Objects of these kinds; at least one, so that a loop over them cannot pass by being empty."""
        found = [item for item in self.objects if item["kind"] in kinds]
        assert found, f"nothing of kind {kinds} was rendered"
        return found

    def one(self, kind: str, suffix: str = "") -> dict[str, Any]:
        """The only object of a kind whose name ends like this."""
        [found] = [item for item in self.of_kind(kind) if item["metadata"]["name"].endswith(suffix)]
        return found

    def pod_templates(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and pod template of every workload, Jobs included."""
        for item in self.of_kind("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]

    def containers(self) -> list[tuple[str, dict[str, Any]]]:
        """(workload, container) of every container."""
        return [
            (name, item) for name, template in self.pod_templates() for item in template["spec"]["containers"]
        ]

    def services(self) -> list[dict[str, Any]]:
        """The Deployments of the five services."""
        found = [
            item for item in self.of_kind("Deployment") if not item["metadata"]["name"].endswith("-redis")
        ]
        assert len(found) == 5
        return found


def helm_template(
    place: Environment, values: Mapping[str, Any], chart: Path = CHART
) -> subprocess.CompletedProcess[str]:
    """Run `helm template` with an environment's values files and, over them, these values."""
    command = ["helm", "template", place.release, str(chart), "--namespace", place.namespace]
    for file in place.files:
        command += ["--values", str(CHART / file)]
    # JSON is YAML.
    text = json.dumps(merged(place.values, values))
    return subprocess.run(
        [*command, "--values", "-"], input=text, capture_output=True, text=True, check=False, timeout=60
    )


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`override` laid over `base`, map by map, as Helm does with values files."""
    result = dict(base)
    for key, value in override.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    """Render an environment, with values laid over it: `render("staging", {"hpa": {"enabled": True}})`."""
    # Hundreds of tests look at a dozen renderings.
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
    """What Helm says when it refuses to render these values; rendering them after all fails the test."""

    def call(environment: str, values: Mapping[str, Any]) -> str:
        finished = helm_template(ENVIRONMENTS[environment], values)
        assert finished.returncode != 0, "these values were rendered"
        return finished.stderr

    return call


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    return str(request.param)


@pytest.fixture
def rendered(render: Callable[..., Rendered], environment: str) -> Rendered:
    """The chart as each environment gets it."""
    return render(environment)
