"""`inv up`: the whole application on this machine, without root, containers or a cluster.

`runfile` reads dapr.yaml, `application` says how each part is started, `supervisor` starts, watches and stops
them, `checks` uses what runs. This module joins them for one command.
"""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console as RichConsole

from todo_local.application import Application
from todo_local.checks import check_application
from todo_local.console import Console
from todo_local.port_holders import require_free
from todo_local.runfile import read_run_file
from todo_local.state import fresh_state, kept_state
from todo_local.supervisor import Supervisor
from todo_release.errors import INTERRUPTED, ReleaseError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def up(root: Path, *, check: bool, port: int = 8080) -> int:
    """Run the application of the repository `root` at http://localhost:`port` until Ctrl-C.

    With `check`, begin with an empty database, use the application as two clients would, print how long each
    step took, and end. Returns the exit code: 0 when it ended as asked or all checks passed, 1 when something
    failed, which is told in one error, 130 when a check was interrupted.
    """
    with Console(RichConsole(), quiet_lines=check) as console:
        try:
            return _run(root, console, check=check, port=port)
        except ReleaseError as error:
            console.error(error)
            return 1


def _run(root: Path, console: Console, *, check: bool, port: int) -> int:
    apps = read_run_file(root / "dapr.yaml")
    state = fresh_state(root) if check else kept_state(root)
    application = Application(root, apps, state, console, port=port)
    require_free(application.ports)
    supervisor = Supervisor(application.parts(), console, state.logs_dir)
    with ExitStack() as stack:
        for number in STOP_SIGNALS:
            previous = signal.signal(number, lambda *_: supervisor.request_stop())
            stack.callback(signal.signal, number, previous)
        stack.callback(supervisor.stop)
        is_running = supervisor.start()
        if check:
            return _check(application, supervisor, console) if is_running else INTERRUPTED
        if is_running:
            console.say(f"Ready at {application.origin}. Logs: {state.logs_dir}. Ctrl-C stops everything.")
            supervisor.watch()
        console.say("Stopping.")
        return 0


def _check(application: Application, supervisor: Supervisor, console: Console) -> int:
    """Check in a thread, so that a process that dies meanwhile, or a Ctrl-C, ends the check at once."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        checking = pool.submit(check_application, application.origin, application.service_ports, console)
        try:
            supervisor.watch(until=checking.done)
        finally:
            if not checking.done():
                supervisor.stop()  # then the check fails and its thread ends
        if not checking.done():
            return INTERRUPTED
        checking.result()
    return 0
