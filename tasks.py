"""What this repository can do, as invoke tasks; `./inv --list` names them.

A task reads its options, calls one function of the release engine and exits with that function's code. What
checks the tree is in noxfile.py.
"""

import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

ROOT = Path(__file__).parent


@task(
    help={
        "check": "start, use the application as two clients would, print timings, stop",
        "port": "where the application is served on localhost (default 8080)",
    }
)
def up(_: Context, check: bool = False, port: int = 8080) -> None:
    """Run the whole application on this machine; Ctrl-C stops it."""
    from todo_release import local

    sys.exit(local.up(ROOT, check=check, port=port))
