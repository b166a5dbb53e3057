"""The command `inv up`: from dapr.yaml to a running application, and back to nothing."""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console as RichConsole

from todo_local.application import Application
from todo_local.checks import check_application
from todo_local.console import Console
from todo_local.data_folder import fresh_data, kept_data
from todo_local.errors import INTERRUPTED, LocalError
from todo_local.port_holders import require_free
from todo_local.runfile import read_run_file
from todo_local.supervisor import Supervisor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def up(root: Path, *, check: bool, port: int = 8080) -> int:
    """Runs the application of the repository `root` at http://localhost:`port` until Ctrl-C.

    With `check` it begins with an empty database, uses the application as a user would, prints how long each
    step took, and ends.

    Returns: The exit code: 0 when it ended as requested or all checks passed, 1 when something failed (one
        error is printed), 130 when a check was interrupted.
    """
    with Console(RichConsole(), quiet_lines=check) as console:
        try:
            return _run(root, console, check=check, port=port)
        except LocalError as error:
            console.error(error)
            return error.exit_code


def _run(root: Path, console: Console, *, check: bool, port: int) -> int:
    apps = read_run_file(root / "dapr.yaml")
    data = fresh_data(root) if check else kept_data(root)
    application = Application(root, apps, data, console, port=port)
    require_free(application.ports)
    supervisor = Supervisor(application.parts(), console, data.logs_dir)
    with ExitStack() as stack:
        for number in STOP_SIGNALS:
            previous = signal.signal(number, lambda *_: supervisor.request_stop())
            stack.callback(signal.signal, number, previous)
        stack.callback(supervisor.stop)
        is_running = supervisor.start()
        if check:
            return _check(application, supervisor, console) if is_running else INTERRUPTED
        if is_running:
            console.say(f"Ready at {application.origin}. Logs: {data.logs_dir}. Ctrl-C stops everything.")
            supervisor.watch()
        console.say("Stopping.")
        return 0


def _check(application: Application, supervisor: Supervisor, console: Console) -> int:
    """Checks in a thread, so that a process that dies meanwhile, or a Ctrl-C, ends the check at once."""
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
