"""Runs a control plane to look at, until Ctrl-C: `python -m todo_embedded.controlplane`."""

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
    """Boot, say how long it took and where the kubeconfig is, and wait."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job would ignore the first
        signal.signal(number, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="todo-plane-") as folder,
        control_plane(Path(folder), progress=_tell) as plane,
    ):
        install_definitions(plane.api, progress=_tell)
        inject_sidecars(plane.api)
        _tell("It serves until Ctrl-C; in another terminal:")
        sys.stdout.write(f"export KUBECONFIG={plane.kubeconfig}\n")
        sys.stdout.flush()
        threading.Event().wait()


def _tell(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    try:
        main()
    except EmbeddedError as error:
        sys.exit(str(error))
