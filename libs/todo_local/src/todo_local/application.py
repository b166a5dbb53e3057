"""The parts of the Todo application on one machine, and how each is started.

Services of dapr.yaml are started as it says; added to them are PostgreSQL, Redis, migrations, the frontend
and one origin for the browser.
"""

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from todo_embedded.daprd import daprd, daprd_command
from todo_embedded.postgres import PostgresServer, postgres_server
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.redis import RedisServer, redis_server
from todo_local.console import Console
from todo_local.data_folder import DataFolder
from todo_local.frontend import Frontend
from todo_local.proxy import proxy
from todo_local.runfile import App
from todo_local.supervisor import ApplicationPart

FRONTEND_PORT = 3000
DATABASE = "todo"
START_TIMEOUT_SECONDS = 60
MIGRATE_TIMEOUT_SECONDS = 60
DRAIN_SECONDS = 2  # a developer who stops wants it stopped; a pod has 20
STOP_GRACE_SECONDS = 3
DAPRD_STOP_GRACE_SECONDS = 1

Log = Callable[[str], None]


class Application:
    """Describes the parts; a running part leaves in the attributes what those that need it use."""

    def __init__(
        self, root: Path, apps: Sequence[App], data: DataFolder, console: Console, *, port: int
    ) -> None:
        """Describes the application of the repository `root`, served at http://localhost:`port`."""
        self.origin = f"http://localhost:{port}"
        self._apps = apps
        self._data = data
        self._console = console
        self._port = port
        self._frontend = Frontend(root / "services" / "frontend", FRONTEND_PORT)
        # By these an application and its sidecar recognise each other, as in the cluster.
        self._sidecar_tokens = {
            "APP_API_TOKEN": secrets.token_urlsafe(32),
            "DAPR_API_TOKEN": secrets.token_urlsafe(32),
        }
        self._postgres: PostgresServer
        self._redis: RedisServer
        self._daprd: Path

    @property
    def ports(self) -> dict[int, str]:
        """Every fixed port, with its purpose."""
        ports = {self._port: "the application", FRONTEND_PORT: "frontend"}
        for app in self._apps:
            ports |= app.ports
        return ports

    @property
    def service_ports(self) -> dict[str, int]:
        """The port that each service listens on."""
        return {app.app_id: app.app_port for app in self._apps} | {"frontend": self._frontend.port}

    def parts(self) -> list[ApplicationPart]:
        """Returns all parts; each names those that it needs."""
        return [
            ApplicationPart("postgres", self._run_postgres),
            ApplicationPart("redis", self._run_redis),
            ApplicationPart("daprd", self._find_daprd),
            ApplicationPart("frontend-build", self._build_frontend),
            ApplicationPart(
                "frontend-migrate", self._migrate_frontend, frozenset({"postgres", "frontend-build"})
            ),
            ApplicationPart("frontend", self._run_frontend, frozenset({"frontend-migrate"})),
            *(part for app in self._apps for part in self._app_parts(app)),
            ApplicationPart("origin", self._run_origin),
        ]

    def _app_parts(self, app: App) -> Iterator[ApplicationPart]:
        needs = {"redis", "daprd"}
        if migration := migration_module(app):
            needs.add(f"{app.app_id}-migrate")
            run = partial(self._migrate_app, app, migration)
            yield ApplicationPart(f"{app.app_id}-migrate", run, frozenset({"postgres"}))
        yield ApplicationPart(app.app_id, partial(self._run_app, app), frozenset(needs))

    @contextlib.contextmanager
    def _run_postgres(self, progress: Log) -> Iterator[Sequence[ServerProcess]]:
        with (
            self._log("postgres", is_shown=False) as log,
            postgres_server(
                self._data.database_dir, durable=self._data.is_kept, on_line=log, progress=progress
            ) as server,
        ):
            server.create_database(DATABASE)
            self._postgres = server
            yield [server.process]

    @contextlib.contextmanager
    def _run_redis(self, progress: Log) -> Iterator[Sequence[ServerProcess]]:
        with (
            self._log("redis", is_shown=False) as log,
            redis_server(on_line=log, progress=progress) as server,
        ):
            self._redis = server
            yield [server.process]

    @contextlib.contextmanager
    def _find_daprd(self, progress: Log) -> Iterator[Sequence[ServerProcess]]:
        self._daprd = daprd(progress=progress)
        yield []

    @contextlib.contextmanager
    def _build_frontend(self, progress: Log) -> Iterator[Sequence[ServerProcess]]:
        with self._log("frontend-build", is_shown=False) as log:
            self._frontend.build(log=log, progress=progress)
        yield []

    @contextlib.contextmanager
    def _migrate_frontend(self, _progress: Log) -> Iterator[Sequence[ServerProcess]]:
        with self._log("frontend-migrate") as log:
            self._frontend.migrate(self._frontend_environment(), log=log)
        yield []

    @contextlib.contextmanager
    def _run_frontend(self, _progress: Log) -> Iterator[Sequence[ServerProcess]]:
        with (
            self._log("frontend") as log,
            self._frontend.serve(self._frontend_environment(), log=log) as process,
        ):
            yield [process]

    @contextlib.contextmanager
    def _run_origin(self, progress: Log) -> Iterator[Sequence[ServerProcess]]:
        with (
            self._log("origin", is_shown=False) as log,
            proxy(
                self._port, self.service_ports, self._data.proxy_dir, log=log, progress=progress
            ) as process,
        ):
            yield [process]

    @contextlib.contextmanager
    def _migrate_app(self, app: App, module: str, _progress: Log) -> Iterator[Sequence[ServerProcess]]:
        environment = os.environ | self._app_environment(app)
        with (
            self._log(f"{app.app_id}-migrate") as log,
            ServerProcess(
                module, [sys.executable, "-m", module], cwd=app.folder, env=environment, on_line=log
            ) as process,
        ):
            process.wait_for_success(timeout_seconds=MIGRATE_TIMEOUT_SECONDS)
        yield []

    @contextlib.contextmanager
    def _run_app(self, app: App, _progress: Log) -> Iterator[Sequence[ServerProcess]]:
        """Starts application and sidecar together, as each waits for the other by itself."""
        with self._log(app.app_id) as log, self._log(f"{app.app_id}-daprd", only_warnings=True) as daprd_log:
            environment = os.environ | self._app_environment(app)
            redis = {"REDIS_HOST": self._redis.address, "REDIS_PASSWORD": self._redis.password}
            with (
                ServerProcess(
                    f"daprd of {app.app_id}",
                    sidecar_command(self._daprd, app),
                    env=os.environ | redis | self._sidecar_tokens,
                    on_line=daprd_log,
                ) as sidecar,
                ServerProcess(
                    app.app_id, app.command, cwd=app.folder, env=environment, on_line=log
                ) as process,
            ):
                health = f"http://127.0.0.1:{app.dapr_http_port}/v1.0/healthz"
                for waiting, url in (
                    (sidecar, f"{health}/outbound"),  # its components
                    (process, f"http://127.0.0.1:{app.app_port}/readyz"),
                    (sidecar, health),  # with the application
                ):
                    waiting.wait_until_ready(partial(answers, url), timeout_seconds=START_TIMEOUT_SECONDS)
                yield [process, sidecar]
                process.stop(grace_seconds=STOP_GRACE_SECONDS)
                sidecar.stop(grace_seconds=DAPRD_STOP_GRACE_SECONDS)

    def _app_environment(self, app: App) -> dict[str, str]:
        """Returns what the file says, what `dapr run` would add, and what only this run knows."""
        interpreter_dir = str(Path(sys.executable).parent)
        environment = app.env | {
            "PATH": os.pathsep.join([interpreter_dir, os.environ.get("PATH", os.defpath)]),
            "PORT": str(app.app_port),
            "DAPR_HTTP_PORT": str(app.dapr_http_port),
            "DAPR_GRPC_PORT": str(app.dapr_grpc_port),
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            "JWT_ISSUER": self.origin,
            **self._sidecar_tokens,
        }
        if migration_module(app):  # the other services do not use the database
            environment["DATABASE_URL"] = self._postgres.url_of(DATABASE)
        return environment

    def _frontend_environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._postgres.url_of(DATABASE),
            "BETTER_AUTH_URL": self.origin,
            "BETTER_AUTH_SECRET": self._data.auth_secret(),
        }

    @contextlib.contextmanager
    def _log(self, name: str, *, is_shown: bool = True, only_warnings: bool = False) -> Iterator[Log]:
        """Keeps every line of a process in a file, and shows those that a developer wants to see."""
        with (self._data.logs_dir / f"{name}.log").open("w", buffering=1) as file:

            def log(line: str) -> None:
                if not file.closed:  # a reader may lag behind the process it reads
                    file.write(f"{line}\n")
                if is_shown:
                    self._console.line(name, line, only_warnings=only_warnings)

            yield log


def migration_module(app: App) -> str | None:
    """Returns the module that migrates an app's schema; None for an app without one."""
    package = next((part for part in app.command if part.startswith("todo_")), None)
    if package is None or not (app.folder / "src" / package / "migrate.py").exists():
        return None
    return f"{package}.migrate"


def sidecar_command(program: Path, app: App) -> list[str]:
    """Returns the command line of an app's sidecar."""
    return daprd_command(
        program,
        app_id=app.app_id,
        app_port=app.app_port,
        http_port=app.dapr_http_port,
        grpc_port=app.dapr_grpc_port,
        internal_grpc_port=app.dapr_internal_grpc_port,
        metrics_port=app.dapr_metrics_port,
        resources_paths=app.resources_paths,
        options=app.daprd_options | {"dapr-graceful-shutdown-seconds": str(DAPRD_STOP_GRACE_SECONDS)},
    )
