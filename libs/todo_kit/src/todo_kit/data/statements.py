"""Single statements without a session, for the requests that users wait for most.

A statement is sent as text by psycopg, in no transaction but its own: no BEGIN, no COMMIT, no objects.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.elements import ClauseElement

from todo_kit.logging import get_logger
from todo_kit.problems import UnavailableError

_log = get_logger(__name__)


def compile_statement(statement: Executable) -> str:
    """Returns the text of a statement whose parameters are all named; keep it, since composing takes long."""
    element = cast("ClauseElement", statement)
    return str(element.compile(dialect=PGDialectAsync_psycopg()))  # type: ignore[no-untyped-call]  # SQLAlchemy


class Statements:
    """Runs statements on the connections of an engine's pool; each is a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Takes the engine; nothing connects yet."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.on_enqueued: Callable[[], None] | None = None

    async def enqueue(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Does what `fetch` does with a statement that stores events too, and wakes the relay afterwards."""
        rows = await self.fetch(statement, parameters)
        if self.on_enqueued is not None:
            self.on_enqueued()
        return rows

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Returns the rows of a statement, whose datetimes are in the server's time zone.

        Raises:
            UnavailableError: The connection was lost; whether the statement took effect is unknown.
        """
        async with self._engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = cast("psycopg.AsyncConnection[Any]", raw.driver_connection)
            try:
                async with driver.cursor(row_factory=dict_row) as cursor:
                    await cursor.execute(statement.encode(), parameters)
                    return await cursor.fetchall()
            except psycopg.OperationalError as error:
                await connection.invalidate()
                _log.error("database_unavailable", error=str(error))
                raise UnavailableError("The database does not answer. Try again shortly.") from error
