"""The frontend of a local run: installed and built only when one of its inputs has changed."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.nodejs import NodeJs, node
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage

INSTALL_TIMEOUT_SECONDS = 600
BUILD_TIMEOUT_SECONDS = 600
MIGRATE_TIMEOUT_SECONDS = 60
START_TIMEOUT_SECONDS = 60
STOP_GRACE_SECONDS = 3
# Outputs of the build, or files that it does not read.
NOT_INPUTS = {"node_modules", ".next", "tests", "next-env.d.ts", "README.md", "Dockerfile"}


@dataclass(frozen=True)
class Frontend:
    """The Next.js application in `folder`, served on `port` of the loopback address."""

    folder: Path
    port: int

    @property
    def _standalone(self) -> Path:
        return self.folder / ".next" / "standalone"

    def build(self, *, log: OnMessage, progress: OnMessage) -> None:
        """Installs and builds what has changed. Raises EmbeddedError."""
        runtime = node(progress=progress)
        if not is_installed(self.folder):
            progress("npm ci: the lock file or node_modules has changed, about 20 s")
            self._npm(
                runtime, "ci", "--no-audit", "--no-fund", timeout_seconds=INSTALL_TIMEOUT_SECONDS, log=log
            )
        stamp = self._standalone / ".inputs"
        inputs = inputs_digest(self.folder)
        if stamp.exists() and stamp.read_text() == inputs:
            return
        stamp.unlink(missing_ok=True)
        progress("next build: the sources have changed, about 20 s")
        self._npm(runtime, "run", "build", timeout_seconds=BUILD_TIMEOUT_SECONDS, log=log)
        stamp.write_text(inputs)

    def migrate(self, env: Mapping[str, str], *, log: OnMessage) -> None:
        """Migrates the tables of the accounts. Raises EmbeddedError."""
        runtime = node()
        environment = runtime.environment() | dict(env)
        with ServerProcess(
            "migrate", [runtime.node, "migrate.mjs"], cwd=self._standalone, env=environment, on_line=log
        ) as process:
            process.wait_for_success(timeout_seconds=MIGRATE_TIMEOUT_SECONDS)

    @contextlib.contextmanager
    def serve(self, env: Mapping[str, str], *, log: OnMessage) -> Iterator[ServerProcess]:
        """Runs the server for the length of the block, from when it is ready. Raises EmbeddedError."""
        runtime = node()
        address = {"HOSTNAME": "127.0.0.1", "PORT": str(self.port), "NODE_ENV": "production"}
        environment = runtime.environment() | dict(env) | address
        with ServerProcess(
            "next", [runtime.node, "server.js"], cwd=self._standalone, env=environment, on_line=log
        ) as process:
            url = f"http://127.0.0.1:{self.port}/readyz"
            process.wait_until_ready(lambda: answers(url), timeout_seconds=START_TIMEOUT_SECONDS)
            yield process
            process.stop(grace_seconds=STOP_GRACE_SECONDS)

    def _npm(self, runtime: NodeJs, *arguments: str, timeout_seconds: float, log: OnMessage) -> None:
        environment = runtime.environment() | {"NEXT_TELEMETRY_DISABLED": "1", "CI": "1"}
        name = f"npm {arguments[0]}"
        with ServerProcess(
            name, [runtime.npm, *arguments], cwd=self.folder, env=environment, on_line=log
        ) as process:
            process.wait_for_success(timeout_seconds=timeout_seconds)


def is_installed(folder: Path) -> bool:
    """Returns whether node_modules holds what package-lock.json asks for, whoever installed it.

    npm lists what it installed in node_modules/.package-lock.json, without what this platform does not need.
    """
    try:
        wanted = json.loads((folder / "package-lock.json").read_text())["packages"]
        installed = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    except FileNotFoundError:
        return False
    required = {path for path, package in wanted.items() if path and not package.get("optional")}
    return required <= installed.keys() and all(
        path in wanted and package.get("version") == wanted[path].get("version")
        for path, package in installed.items()
    )


def inputs_digest(folder: Path) -> str:
    """Returns a hash of names and contents of all files in `folder` that a build reads."""
    digest = hashlib.sha256()
    for path in sorted(_inputs(folder)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _inputs(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in NOT_INPUTS or path.name.endswith(".tsbuildinfo"):
            continue
        if path.is_dir():
            yield from (file for file in path.rglob("*") if file.is_file())
        elif path.is_file():
            yield path
