"""The custom resource definitions of Dapr, cert-manager and the Prometheus operator, from their Go modules.

Each module is fetched once. Our cache keeps the definitions as JSON and without their descriptions, nine
tenths of them, which the API server would read for nothing.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_embedded.controlplane.api_client import Api
from todo_embedded.errors import ProcessStartError
from todo_embedded.gobuild import go_module
from todo_embedded.tools import Progress, building, cache_dir, ignore_progress

COLLECTION = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ESTABLISHED_TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one folder of a Go module; `checksum` is the module's line in a go.sum."""

    module: str
    version: str
    checksum: str
    folder: str
    files: tuple[str, ...]


SOURCES = (
    Source(
        "github.com/dapr/dapr",
        "v1.16.0",
        "h1:la2WLZM8Myr2Pq3cyrFjHKWDSPYLzGZCs3p502TwBjI=",
        "charts/dapr/crds",
        ("components", "configuration", "httpendpoints", "resiliency", "subscription"),
    ),
    Source(
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        "deploy/crds",
        ("cert-manager.io_certificates", "cert-manager.io_clusterissuers", "cert-manager.io_issuers"),
    ),
    Source(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd",
        tuple(
            f"monitoring.coreos.com_{name}" for name in ("podmonitors", "prometheusrules", "servicemonitors")
        ),
    ),
)


def install_definitions(api: Api, *, progress: Progress = ignore_progress) -> None:
    """Make the kinds of all `SOURCES` known to a control plane and wait until they are served.

    Raises ToolInstallError when a module cannot be had, ApiError and ProcessStartError when the plane does
    not take them.
    """
    names = [api.create(json.loads(path.read_bytes()))["metadata"]["name"] for path in _files(progress)]
    deadline = time.monotonic() + ESTABLISHED_TIMEOUT_SECONDS
    for name in names:
        while not _is_established(api, name):
            if time.monotonic() > deadline:
                raise ProcessStartError(f"{name} was not established within {ESTABLISHED_TIMEOUT_SECONDS} s")
            time.sleep(POLL_SECONDS)


def _files(progress: Progress) -> list[Path]:
    folder = cache_dir() / f"definitions-{hashlib.sha256(repr(SOURCES).encode()).hexdigest()[:16]}"
    with building(folder) as staging:
        if staging is not None:
            for source in SOURCES:
                progress(f"Fetching {source.module} {source.version}, once")
                module = go_module(source.module, source.version, source.checksum, progress=progress)
                for name in source.files:
                    definition = yaml.safe_load((module / source.folder / f"{name}.yaml").read_bytes())
                    (staging / f"{name}.json").write_text(json.dumps(_undescribed(definition)))
    return sorted(folder.iterdir())


def _undescribed(value: Any) -> Any:
    """A property may be called `description` too; that is no string."""
    if isinstance(value, list):
        return [_undescribed(one) for one in value]
    if isinstance(value, dict):
        return {
            key: _undescribed(one)
            for key, one in value.items()
            if not (key == "description" and isinstance(one, str))
        }
    return value


def _is_established(api: Api, name: str) -> bool:
    conditions = api.read(f"{COLLECTION}/{name}")["status"]["conditions"] or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
