"""Reaches a PostgreSQL database: what it is, and what its role may do there.

URLs go to libpq as they are. They are never shown, because they hold passwords.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import conninfo

from todo_cluster.errors import DatabaseError

CONNECT_SECONDS = 10
OLDEST_VERSION = 140000
DESCRIPTION = """
select current_setting('server_version_num')::int, current_database()::text,
       (select oid::bigint from pg_database where datname = current_database()),
       current_user::text, pg_is_in_recovery(),
       has_database_privilege(current_database(), 'CREATE'), has_schema_privilege('public', 'CREATE')
"""


@dataclass(frozen=True, slots=True)
class DatabaseDescription:
    """A database as a role sees it; `oid` tells databases of one server apart."""

    server_version: int
    name: str
    oid: int
    role: str
    is_replica: bool
    may_create: bool

    @property
    def server_major(self) -> int:
        """The major version of the server."""
        return self.server_version // 10000


@contextmanager
def connect(url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Yields a connection in a transaction of its own.

    Raises:
        DatabaseError: The URL is no libpq URL, or the server does not answer or refuses, also in the block.
    """
    place = place_of(url)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.Error as error:
        raise DatabaseError(
            f"PostgreSQL at {place} cannot be used: {_reason(error, url)}.",
            remedy="Correct the URL and the rights of its role, or reach the server from another network.",
        ) from None  # its message may repeat the URL


def describe(url: str) -> DatabaseDescription:
    """Returns what a URL leads to.

    Raises:
        DatabaseError: As `connect`, or it is another kind of server.
    """
    with connect(url) as connection:
        try:
            row = connection.execute(DESCRIPTION).fetchone()
        except psycopg.Error as error:
            raise DatabaseError(
                f"What answers at {place_of(url)} is not PostgreSQL: {_reason(error, url)}.",
                remedy="Name the URL of a PostgreSQL database.",
            ) from None
    match row:
        case (
            int() as version,
            str() as name,
            int() as oid,
            str() as role,
            bool() as replica,
            database,
            schema,
        ):
            return DatabaseDescription(version, name, oid, role, replica, bool(database or schema))
    raise DatabaseError(
        f"What answers at {place_of(url)} does not describe itself as PostgreSQL does.",
        remedy="Name the URL of a PostgreSQL database.",
    )


def place_of(url: str) -> str:
    """Returns `HOST:PORT/DATABASE` of a libpq URL, without its account.

    Raises:
        DatabaseError: It is not one.
    """
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {}
    if not url.startswith(("postgresql://", "postgres://")) or not parts.get("host"):
        raise DatabaseError(
            "The value is not a URL of PostgreSQL.",
            remedy="Write postgresql://ROLE:PASSWORD@HOST/DATABASE, with special characters percent-encoded.",
        )
    return f"{parts['host']}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def _reason(error: psycopg.Error, url: str) -> str:
    """Returns the first line of an error without the password."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    password = str(conninfo.conninfo_to_dict(url).get("password") or "")
    return text.replace(password, "*****") if password else text
