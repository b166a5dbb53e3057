"""An in-memory image registry (go-containerregistry's), built once from its Go module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from todo_embedded.gobuild import go_program
from todo_embedded.ports import free_port
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage, ignore_progress

START_TIMEOUT_SECONDS = 10


@contextmanager
def image_registry(
    *, on_line: Callable[[str], None] | None = None, progress: OnMessage = ignore_progress
) -> Iterator[str]:
    """Runs a registry on 127.0.0.1 for the duration of the block and yields its `host:port`.

    It speaks plain HTTP, needs no login, and keeps nothing after the block.

    Raises:
        EmbeddedError: it could not be built or started.
    """
    program = go_program(
        "registry",
        "registry_main",
        minutes=1,
        remedy="build on a machine that has one and copy its ~/.cache/todo",
        progress=progress,
    )
    host = f"127.0.0.1:{free_port()}"
    with ServerProcess("registry", [program, host], on_line=on_line) as process:
        process.wait_until_ready(lambda: answers(f"http://{host}/v2/"), timeout_seconds=START_TIMEOUT_SECONDS)
        yield host
