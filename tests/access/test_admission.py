"""A real API server accepts every object that the chart renders, in each variant."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.errors import ApiError

from .rights import api_server

CHART = Path(__file__).parents[2] / "chart"
RELEASED: dict[str, Any] = {"global": {"imageDigestRequired": False}, "ingress": {"host": "todo.example.com"}}
GATEWAY = {"kind": "gateway", "host": "todo.example.com", "gateway": {"className": "traefik"}}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "local": ("", {}),
    "staging": ("values-staging.yaml", RELEASED),
    "production": ("values-production.yaml", RELEASED),
    "gateway": ("values-production.yaml", RELEASED | {"ingress": GATEWAY}),
    "isolated-redis": ("", {"networkPolicies": {"enabled": True}}),
}


@pytest.fixture(scope="module")
def api() -> Iterator[ApiClient]:
    """An API server with the definitions of Dapr, Prometheus and the Gateway API."""
    with api_server() as running:
        install_definitions(running)
        yield running


def rendered(variant: str) -> list[dict[str, Any]]:
    """Returns the objects of a variant, in the namespace production."""
    file, values = VARIANTS[variant]
    command = ["helm", "template", "todo-app", str(CHART), "--namespace=production"]
    command += [f"--values={CHART / file}"] if file else []
    command += ["--values=-"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=True)
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    for item in objects:
        item["metadata"].setdefault("namespace", "production")
    return objects


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_accepted(api: ApiClient, variant: str) -> None:
    """Schemas, CEL rules and defaults of the server itself refuse none, though nothing is stored."""
    objects = rendered(variant)
    assert len(objects) > 20
    refused = []
    for item in objects:
        try:
            api.create(item, dry_run=True)
        except ApiError as error:
            refused.append(str(error))
    assert refused == []


def test_contradictory_route_is_refused_by_a_rule_of_the_server(api: ApiClient) -> None:
    """The rules of the Gateway API are really there: a back-end time-out above the whole is refused."""
    (route,) = [
        item
        for item in rendered("gateway")
        if item["metadata"]["name"] == "todo-app" and item["kind"] == "HTTPRoute"
    ]
    route["spec"]["rules"][0]["timeouts"] = {"request": "1s", "backendRequest": "2s"}
    with pytest.raises(ApiError, match="backendRequest timeout cannot be longer than request timeout"):
        api.create(route, dry_run=True)
