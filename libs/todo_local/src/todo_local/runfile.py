"""Reads dapr.yaml, the multi-app run file that `dapr run -f .` reads too.

The model holds the keys of the documented format (https://docs.dapr.io, "Multi-App Run template") that a
local run supports. Any other key is an error rather than a setting that silently has no effect.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from todo_local.errors import RunFileError

Port = Annotated[int, Field(ge=1, le=65535)]


class _SharedKeys(BaseModel):
    """Keys that may stand under `common` and, with precedence, under an app."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    resources_paths: list[str] | None = Field(default=None, alias="resourcesPaths")
    env: dict[str, str] = {}
    log_level: Literal["debug", "info", "warn", "error"] | None = Field(default=None, alias="logLevel")
    enable_app_health_check: bool | None = Field(default=None, alias="enableAppHealthCheck")
    app_health_check_path: str | None = Field(default=None, alias="appHealthCheckPath")
    app_health_probe_interval: int | None = Field(default=None, alias="appHealthProbeInterval")
    app_health_probe_timeout: int | None = Field(default=None, alias="appHealthProbeTimeout")
    app_health_threshold: int | None = Field(default=None, alias="appHealthThreshold")
    # No actors and no jobs here.
    placement_host_address: Literal[""] | None = Field(default=None, alias="placementHostAddress")
    scheduler_host_address: Literal[""] | None = Field(default=None, alias="schedulerHostAddress")


class _AppKeys(_SharedKeys):
    app_id: str = Field(alias="appID")
    app_dir_path: str = Field(alias="appDirPath")
    command: Annotated[list[str], Field(min_length=1)]
    app_port: Port = Field(alias="appPort")
    dapr_http_port: Port = Field(alias="daprHTTPPort")
    dapr_grpc_port: Port = Field(alias="daprGRPCPort")
    dapr_internal_grpc_port: Port = Field(alias="daprInternalGRPCPort")
    metrics_port: Port = Field(alias="metricsPort")


class _RunFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1]
    common: _SharedKeys = _SharedKeys()
    apps: Annotated[list[_AppKeys], Field(min_length=1)]


# Keys that become a flag of daprd, whose name is the same with hyphens.
DAPRD_KEYS = (
    "log_level",
    "enable_app_health_check",
    "app_health_check_path",
    "app_health_probe_interval",
    "app_health_probe_timeout",
    "app_health_threshold",
)


@dataclass(frozen=True)
class App:
    """An application with a sidecar, as the file describes it: paths resolved, `common` merged in."""

    app_id: str
    folder: Path
    command: tuple[str, ...]
    app_port: int
    dapr_http_port: int
    dapr_grpc_port: int
    dapr_internal_grpc_port: int
    dapr_metrics_port: int
    resources_paths: tuple[Path, ...]
    env: dict[str, str]
    daprd_options: dict[str, str]

    @property
    def ports(self) -> dict[int, str]:
        """Every port the app and its sidecar listen on, with its purpose."""
        return {
            self.app_port: self.app_id,
            self.dapr_http_port: f"daprd of {self.app_id}, HTTP",
            self.dapr_grpc_port: f"daprd of {self.app_id}, gRPC",
            self.dapr_internal_grpc_port: f"daprd of {self.app_id}, internal gRPC",
            self.dapr_metrics_port: f"daprd of {self.app_id}, metrics",
        }


def read_run_file(path: Path) -> tuple[App, ...]:
    """Returns the apps of a run file in its order; relative paths in the file start at its folder.

    Raises:
        RunFileError: the file is missing or wrong; it names every mistake at once.
    """
    try:
        document = yaml.safe_load(path.read_text())
        parsed = _RunFile.model_validate(document)
    except (OSError, yaml.YAMLError) as error:
        raise RunFileError(
            f"{path.name} cannot be read: {error}.", remedy="It belongs in the repository."
        ) from error
    except ValidationError as error:
        raise RunFileError(
            f"{path.name} cannot be run here: {_mistakes(error)}.",
            remedy="The keys that a local run supports are in libs/todo_local/src/todo_local/runfile.py.",
        ) from error
    apps = tuple(_resolve(app, parsed.common, path.parent) for app in parsed.apps)
    _refuse_shared_ports(path.name, apps)
    return apps


def _mistakes(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in mistake['loc']) or 'the file'}: {mistake['msg'].lower()}"
        for mistake in error.errors(include_url=False)
    )


def _resolve(app: _AppKeys, common: _SharedKeys, root: Path) -> App:
    keys = {key: value for key, value in common if value is not None} | {
        key: value for key, value in app if value is not None
    }
    return App(
        app_id=app.app_id,
        folder=root / app.app_dir_path,
        command=tuple(app.command),
        app_port=app.app_port,
        dapr_http_port=app.dapr_http_port,
        dapr_grpc_port=app.dapr_grpc_port,
        dapr_internal_grpc_port=app.dapr_internal_grpc_port,
        dapr_metrics_port=app.metrics_port,
        resources_paths=tuple(root / folder for folder in keys.get("resources_paths", ())),
        env={**common.env, **app.env},
        daprd_options={key.replace("_", "-"): _flag(keys[key]) for key in DAPRD_KEYS if key in keys},
    )


def _flag(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_shared_ports(name: str, apps: tuple[App, ...]) -> None:
    owners: dict[int, str] = {}
    for app in apps:
        if len(app.ports) < 5:
            raise RunFileError(f"{name} gives {app.app_id} one port twice.", remedy="Choose another.")
        for port, purpose in app.ports.items():
            if port in owners:
                raise RunFileError(
                    f"{name} gives port {port} to {owners[port]} and to {purpose}.", remedy="Choose another."
                )
            owners[port] = purpose
