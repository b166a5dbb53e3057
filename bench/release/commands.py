"""How long a command takes that only shows what there is."""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.release import turns

ROOT = Path(__file__).resolve().parents[2]
NOTHING = '''from invoke import task


@task
def nothing(context):
    """Do nothing."""
'''


def rows(rounds: int) -> list[tuple[str, ...]]:
    """The tasks of this repository, the one task that does nothing, and the closest peer's help."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.py").write_text(NOTHING, encoding="utf-8")

        def shows(program: str, argument: str, cwd: str | Path) -> None:
            subprocess.run([programs / program, argument], cwd=cwd, check=True, capture_output=True)

        return turns.rows(
            "list of commands",
            {
                "inv --list": lambda: shows("inv", "--list", ROOT),
                "inv --list, of a task that does nothing": lambda: shows("inv", "--list", folder),
                "chartpress --help": lambda: shows("chartpress", "--help", folder),
            },
            rounds=rounds,
        )
