"""Installs the custom resource definitions of Dapr, cert-manager, Prometheus operator and Gateway API.

They come from the Go modules of these projects, each downloaded once. The cache keeps them as JSON without
descriptions, which are nine tenths of the text and would only slow the API server down.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.errors import ApiError, ProcessStartError
from todo_embedded.gobuild import go_module
from todo_embedded.tools import OnMessage, building, cache_dir, ignore_progress

SERVED_TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.05
STARTING = (429, 503)


@dataclass(frozen=True, slots=True)
class DefinitionFiles:
    """Files in one folder of a Go module; `checksum` is the module's line in a go.sum."""

    module: str
    version: str
    checksum: str
    folder: str
    files: tuple[str, ...]


SOURCES = (
    DefinitionFiles(
        "github.com/dapr/dapr",
        "v1.16.0",
        "h1:la2WLZM8Myr2Pq3cyrFjHKWDSPYLzGZCs3p502TwBjI=",
        "charts/dapr/crds",
        ("components", "configuration", "httpendpoints", "resiliency", "subscription"),
    ),
    DefinitionFiles(
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        "deploy/crds",
        ("cert-manager.io_certificates", "cert-manager.io_clusterissuers", "cert-manager.io_issuers"),
    ),
    DefinitionFiles(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd",
        tuple(
            f"monitoring.coreos.com_{name}" for name in ("podmonitors", "prometheusrules", "servicemonitors")
        ),
    ),
    DefinitionFiles(
        "sigs.k8s.io/gateway-api",
        "v1.4.0",
        "h1:ZwlNM6zOHq0h3WUX2gfByPs2yAEsy/EenYJB78jpQfQ=",
        "config/crd/standard",
        tuple(f"gateway.networking.k8s.io_{name}" for name in ("gatewayclasses", "gateways", "httproutes")),
    ),
)


def install_definitions(api: ApiClient, *, progress: OnMessage = ignore_progress) -> None:
    """Installs the definitions of all `SOURCES` and waits until their kinds are served.

    Raises:
        ToolInstallError: a module could not be downloaded.
        ApiError: a definition was refused.
        ProcessStartError: a kind was not served within the time limit.
    """
    definitions = [api.create(json.loads(path.read_bytes())) for path in _cached_files(progress)]
    deadline = time.monotonic() + SERVED_TIMEOUT_SECONDS
    for definition in definitions:
        while not is_served(api, definition):
            if time.monotonic() > deadline:
                name = definition["metadata"]["name"]
                raise ProcessStartError(f"{name} was not served within {SERVED_TIMEOUT_SECONDS} s")
            time.sleep(POLL_SECONDS)


def is_served(api: ApiClient, definition: KubeObject) -> bool:
    """Returns whether the objects of a definition can be listed, in every version that it serves.

    An established kind is not there yet: for some seconds a list is answered by 404 (not yet known) or 429
    (its storage is being initialised).

    Raises:
        ApiError: the list was refused for another reason.
    """
    spec = definition["spec"]
    paths = [
        f"apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
        for version in spec["versions"]
        if version["served"]
    ]
    try:
        return all(api.read(path) is not None for path in paths)
    except ApiError as error:
        if error.status_code not in STARTING:
            raise
        return False


def _cached_files(progress: OnMessage) -> list[Path]:
    folder = cache_dir() / f"definitions-{hashlib.sha256(repr(SOURCES).encode()).hexdigest()[:16]}"
    with building(folder) as staging:
        if staging is not None:
            for source in SOURCES:
                progress(f"Downloading {source.module} {source.version}, once")
                module = go_module(source.module, source.version, source.checksum, progress=progress)
                for name in source.files:
                    definition = yaml.safe_load((module / source.folder / f"{name}.yaml").read_bytes())
                    (staging / f"{name}.json").write_text(json.dumps(_without_descriptions(definition)))
    return sorted(folder.iterdir())


def _without_descriptions(value: Any) -> Any:
    """Returns a definition without descriptions; a *property* named `description` is no string and stays."""
    if isinstance(value, list):
        return [_without_descriptions(item) for item in value]
    if isinstance(value, dict):
        return {
            key: _without_descriptions(item)
            for key, item in value.items()
            if not (key == "description" and isinstance(item, str))
        }
    return value
