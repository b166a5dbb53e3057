"""Measures commands that only print: the list of tasks, beside another tool's help."""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.release import timing

ROOT = Path(__file__).resolve().parents[2]
EMPTY_TASK = '''from invoke import task


@task
def nothing(context):
    """Do nothing."""
'''


def rows(rounds: int) -> list[tuple[str, ...]]:
    """Measures the tasks of this repository, a file with one empty task, and chartpress."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.py").write_text(EMPTY_TASK, encoding="utf-8")

        def run(program: str, argument: str, cwd: str | Path) -> None:
            subprocess.run([programs / program, argument], cwd=cwd, check=True, capture_output=True)

        return timing.rows(
            "list of commands",
            {
                "inv --list": lambda: run("inv", "--list", ROOT),
                "inv --list, of a task that does nothing": lambda: run("inv", "--list", folder),
                "chartpress --help": lambda: run("chartpress", "--help", folder),
            },
            rounds=rounds,
        )
