"""A real image registry of one's own, in memory: go-containerregistry's, built once from its Go module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from todo_embedded.gobuild import go_program
from todo_embedded.ports import free_port
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.tools import Progress, ignore_progress

START_TIMEOUT_SECONDS = 10


@contextmanager
def image_registry(
    *, on_line: Callable[[str], None] | None = None, progress: Progress = ignore_progress
) -> Iterator[str]:
    """Run a registry on 127.0.0.1 for the length of the block and give its `host:port`.

    It speaks plain HTTP, lets everybody push and pull, and forgets everything at the end. Raises
    EmbeddedError when it cannot be built or started.
    """
    program = go_program(
        "registry",
        "registry_main",
        minutes=1,
        remedy="nothing else provides it",
        progress=progress,
    )
    host = f"127.0.0.1:{free_port()}"
    with ServerProcess("registry", [program, host], on_line=on_line) as process:
        process.wait_until_ready(lambda: answers(f"http://{host}/v2/"), timeout_seconds=START_TIMEOUT_SECONDS)
        yield host
