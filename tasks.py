"""The actions of this repository, as invoke tasks; `./inv --list` names them, noxfile.py has the checks.

The release engine and the package for the cluster bring their commands; the application adds its own.
"""

import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from todo_cluster import tasks as cluster_tasks
from todo_release.tasks import collection

ROOT = Path(__file__).parent


@task(
    help={
        "check": "start, use the application as two clients would, print timings, stop",
        "port": "where the application is served on localhost (default 8080)",
    }
)
def up(_: Context, check: bool = False, port: int = 8080) -> None:
    """Run the whole application on this machine; Ctrl-C stops it."""
    from todo_local import run

    sys.exit(run.up(ROOT, check=check, port=port))


namespace = collection(ROOT)
namespace.add_task(up)
cluster_tasks.add_to(namespace, ROOT)
