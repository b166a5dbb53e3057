"""Reads which packages a workspace member depends on, and which ones a module really imports."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any


def locked_packages(lock: Path, package: str) -> set[str]:
    """Returns the names of all packages that `package` needs at run time, by the lock file `lock`.

    Indirect dependencies are included, dependency groups (tests) are not. Markers are ignored, so the
    packages of every platform are included.
    """
    entries = {entry["name"]: entry for entry in tomllib.loads(lock.read_text())["package"]}
    pending: list[tuple[str, str | None]] = [(package, None)]
    resolved: set[tuple[str, str | None]] = set()
    while pending:
        requirement = pending.pop()
        if requirement in resolved:
            continue
        resolved.add(requirement)
        name, extra = requirement
        entry = entries[name]
        dependencies: list[dict[str, Any]] = (
            entry.get("dependencies", [])
            if extra is None
            else entry.get("optional-dependencies", {}).get(extra, [])
        )
        for dependency in dependencies:
            pending.append((dependency["name"], None))
            pending += [(dependency["name"], extra) for extra in dependency.get("extra", [])]
    return {name for name, _ in resolved} - {package}


def imported_packages(module: str) -> set[str]:
    """Returns the top-level names of everything that importing `module` in a fresh interpreter loads."""
    program = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    return set(printed.split())
