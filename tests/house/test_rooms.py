"""What may import what: rooms.toml, checked by import-linter."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from .tree import ENGINE, ROOT

CONTRACTS = Path(__file__).with_name("rooms.toml")


def lint(cwd: Path, *first: Path) -> tuple[int, str]:
    """Checks the contracts with the packages of some folders before those that are installed."""
    command = [Path(sys.executable).with_name("lint-imports"), CONTRACTS, "--no-cache"]
    environment: Mapping[str, str] = {"PYTHONPATH": ":".join(map(str, first)), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_rooms_import_only_what_the_contracts_allow() -> None:
    """No room imports upwards, no two import each other, and the application stays out of the engine."""
    code, output = lint(ROOT)
    assert code == 0, output


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("errors.py", "from todo_release.pipeline import plan", "A room of the engine"),
        ("config/loader.py", "from todo_release.adapters import git", "A room of the engine"),
        ("core/clock.py", "from todo_release.core import clock_user", "No two modules"),
        ("session.py", "import todo_local", "The engine imports neither"),
        ("commands.py", "import invoke", "The engine imports neither"),
    ],
    ids=["upwards", "between siblings", "in a circle", "the application", "what calls it"],
)
def test_contract_is_broken_by_one_import(tmp_path: Path, file: str, line: str, contract: str) -> None:
    """Each kind of forbidden import is found, also where it stands inside a function."""
    copied = tmp_path / "todo_release"
    shutil.copytree(ROOT / ENGINE, copied)
    (copied / "core/clock_user.py").write_text("from todo_release.core import clock\n")
    with (copied / file).open("a") as module:
        module.write(f"\n\ndef late() -> None:\n    {line}\n")
    code, output = lint(tmp_path, tmp_path)
    assert code == 1
    broken = [row for row in output.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), output
