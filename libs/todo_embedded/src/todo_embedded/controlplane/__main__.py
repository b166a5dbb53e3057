"""Runs a control plane until Ctrl-C: `python -m todo_embedded.controlplane`."""

import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from todo_embedded.controlplane.control_plane import control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.sidecar_injector import inject_sidecars
from todo_embedded.errors import EmbeddedError


def main() -> None:
    """Starts a control plane, prints how to reach it, and waits for Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the background jobs of a shell ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="todo-plane-") as folder,
        control_plane(Path(folder), progress=_print_progress) as plane,
    ):
        install_definitions(plane.api, progress=_print_progress)
        inject_sidecars(plane.api)
        _print_progress("It runs until Ctrl-C. To use it in another terminal:")
        sys.stdout.write(f"export KUBECONFIG={plane.kubeconfig}\n")
        sys.stdout.flush()
        threading.Event().wait()


def _print_progress(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    try:
        main()
    except EmbeddedError as error:
        sys.exit(str(error))
