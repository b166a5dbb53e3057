"""Finds or builds Dapr's sidecar `daprd`, and runs it beside an application.

PyPI and npm have no daprd, but the Go module proxy has its source. `daprd_main` is a `main` package that
registers only the components used here; `gobuild` builds it.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.gobuild import go_program
from todo_embedded.ports import free_port
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage, ignore_progress

START_TIMEOUT_SECONDS = 30
STOP_GRACE_SECONDS = 10


@dataclass(frozen=True)
class Sidecar:
    """A running daprd and the ports of its APIs."""

    app_id: str
    http_port: int
    grpc_port: int

    @property
    def url(self) -> str:
        """Base of the HTTP API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables by which Dapr clients find this sidecar."""
        return {"DAPR_HTTP_PORT": str(self.http_port), "DAPR_GRPC_PORT": str(self.grpc_port)}

    def is_ready(self) -> bool:
        """Returns whether its components are up; the application need not be."""
        return answers(f"{self.url}/v1.0/healthz/outbound")


def daprd(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns the daprd of an installed Dapr CLI, or else the one that this package builds.

    Raises:
        ToolInstallError: it could not be built.
    """
    installed = Path.home() / ".dapr" / "bin" / "daprd"
    if installed.exists():
        return installed
    return built_daprd(progress=progress)


def built_daprd(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns this package's own daprd, building it unless this machine has built these sources before."""
    return go_program(
        "daprd",
        "daprd_main",
        minutes=2,
        remedy="install the Dapr CLI and run `dapr init --slim`: that daprd is used when it is there",
        progress=progress,
    )


def daprd_command(
    program: Path,
    *,
    app_id: str,
    app_port: int,
    http_port: int,
    grpc_port: int,
    internal_grpc_port: int,
    metrics_port: int,
    resources_paths: Sequence[Path],
    options: Mapping[str, str] | None = None,
) -> list[str]:
    """Returns the command line of a sidecar that listens on the loopback address only.

    Actors and jobs are off: there is no placement and no scheduler. `options` are more flags of daprd, by
    name.
    """
    flags = {
        "app-id": app_id,
        "app-port": str(app_port),
        "app-channel-address": "127.0.0.1",
        "dapr-listen-addresses": "127.0.0.1",
        "dapr-http-port": str(http_port),
        "dapr-grpc-port": str(grpc_port),
        "dapr-internal-grpc-listen-address": "127.0.0.1",
        "dapr-internal-grpc-port": str(internal_grpc_port),
        "metrics-listen-address": "127.0.0.1",
        "metrics-port": str(metrics_port),
        "placement-host-address": "",
        "scheduler-host-address": "",
        "log-as-json": "true",
        **(options or {}),
    }
    paths = [f"--resources-path={path}" for path in resources_paths]
    return [str(program), *(f"--{name}={value}" for name, value in flags.items()), *paths]


@contextmanager
def daprd_sidecar(
    app_id: str,
    app_port: int,
    resources_path: Path,
    *,
    env: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    progress: OnMessage = ignore_progress,
) -> Iterator[Sidecar]:
    """Runs a sidecar on free ports beside the application on `app_port` for the duration of the block.

    The block starts when the components are ready; daprd itself waits for the application. `env` is added to
    the environment, from which components read their `envRef` values.

    Raises:
        EmbeddedError: daprd could not be built or started.
    """
    program = daprd(progress=progress)
    sidecar = Sidecar(app_id=app_id, http_port=free_port(), grpc_port=free_port())
    command = daprd_command(
        program,
        app_id=app_id,
        app_port=app_port,
        http_port=sidecar.http_port,
        grpc_port=sidecar.grpc_port,
        internal_grpc_port=free_port(),
        metrics_port=free_port(),
        resources_paths=[resources_path],
        options=options,
    )
    with ServerProcess(
        f"daprd of {app_id}", command, env=os.environ | dict(env or {}), on_line=on_line
    ) as process:
        process.wait_until_ready(sidecar.is_ready, timeout_seconds=START_TIMEOUT_SECONDS)
        yield sidecar
        process.stop(grace_seconds=STOP_GRACE_SECONDS)
