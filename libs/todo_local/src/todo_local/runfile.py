"""Reads dapr.yaml, the multi-app run file that `dapr run -f .` reads too.

The model holds the keys of the documented format (https://docs.dapr.io, "Multi-App Run template") that a
local run honours. Any other key is an error rather than a setting that silently has no effect.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from todo_local.errors import RunFileError

Port = Annotated[int, Field(ge=1, le=65535)]


class _Options(BaseModel):
    """Keys that may stand under `common` and, with precedence, under an app."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    resourcesPaths: list[str] | None = None  # noqa: N815 - the names are those of the file
    env: dict[str, str] = {}
    logLevel: Literal["debug", "info", "warn", "error"] | None = None  # noqa: N815
    enableAppHealthCheck: bool | None = None  # noqa: N815
    appHealthCheckPath: str | None = None  # noqa: N815
    appHealthProbeInterval: int | None = None  # noqa: N815
    appHealthProbeTimeout: int | None = None  # noqa: N815
    appHealthThreshold: int | None = None  # noqa: N815
    placementHostAddress: Literal[""] | None = None  # noqa: N815 - no actors here
    schedulerHostAddress: Literal[""] | None = None  # noqa: N815 - no jobs here


class _App(_Options):
    appID: str  # noqa: N815
    appDirPath: str  # noqa: N815
    command: Annotated[list[str], Field(min_length=1)]
    appPort: Port  # noqa: N815
    daprHTTPPort: Port  # noqa: N815
    daprGRPCPort: Port  # noqa: N815
    daprInternalGRPCPort: Port  # noqa: N815
    metricsPort: Port  # noqa: N815


class _RunFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1]
    common: _Options = _Options()
    apps: Annotated[list[_App], Field(min_length=1)]


DAPRD_FLAGS = {
    "logLevel": "log-level",
    "enableAppHealthCheck": "enable-app-health-check",
    "appHealthCheckPath": "app-health-check-path",
    "appHealthProbeInterval": "app-health-probe-interval",
    "appHealthProbeTimeout": "app-health-probe-timeout",
    "appHealthThreshold": "app-health-threshold",
}


@dataclass(frozen=True)
class App:
    """One application with a sidecar: what the file says of it, paths resolved, `common` merged in."""

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
        """Every port the app and its sidecar listen on, with what for."""
        return {
            self.app_port: self.app_id,
            self.dapr_http_port: f"daprd of {self.app_id}, HTTP",
            self.dapr_grpc_port: f"daprd of {self.app_id}, gRPC",
            self.dapr_internal_grpc_port: f"daprd of {self.app_id}, internal gRPC",
            self.dapr_metrics_port: f"daprd of {self.app_id}, metrics",
        }


def read_run_file(path: Path) -> tuple[App, ...]:
    """Return the apps of a run file in its order.

    Paths in the file are relative to its folder. Raises RunFileError that names every mistake at once.
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
            remedy="The keys a local run honours are in todo_release/local/runfile.py.",
        ) from error
    apps = tuple(_resolve(app, parsed.common, path.parent) for app in parsed.apps)
    _refuse_shared_ports(path.name, apps)
    return apps


def _mistakes(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in mistake['loc']) or 'the file'}: {mistake['msg'].lower()}"
        for mistake in error.errors(include_url=False)
    )


def _resolve(app: _App, common: _Options, root: Path) -> App:
    options = {key: value for key, value in common if value is not None} | {
        key: value for key, value in app if value is not None
    }
    return App(
        app_id=app.appID,
        folder=root / app.appDirPath,
        command=tuple(app.command),
        app_port=app.appPort,
        dapr_http_port=app.daprHTTPPort,
        dapr_grpc_port=app.daprGRPCPort,
        dapr_internal_grpc_port=app.daprInternalGRPCPort,
        dapr_metrics_port=app.metricsPort,
        resources_paths=tuple(root / folder for folder in options.get("resourcesPaths", ())),
        env={**common.env, **app.env},
        daprd_options={flag: _flag(options[key]) for key, flag in DAPRD_FLAGS.items() if key in options},
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
