"""PostgreSQL through SQLAlchemy and psycopg 3."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import DateTime, Dialect, TypeDecorator, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from starlette.responses import Response

from todo_kit.logging import get_logger
from todo_kit.problems import UnavailableError, problem_response

_log = get_logger(__name__)

CONNECT_TIMEOUT_SECONDS = 5


def connection_parameters(url: str) -> dict[str, Any]:
    """Return psycopg's arguments for a libpq URL, verbatim but for a connect time-out if it names none."""
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS} | conninfo_to_dict(url)


def create_engine(url: str | SecretStr, *, pool_size: int = 10) -> AsyncEngine:
    """Return an engine for a libpq URL; nothing connects yet.

    The URL reaches libpq as it is: `sslmode`, `channel_binding` and `host=/socket` work as documented there.
    """
    plain = url.get_secret_value() if isinstance(url, SecretStr) else url
    parameters = connection_parameters(plain)

    async def connect() -> psycopg.AsyncConnection[Any]:
        # Without prepared statements the URL may be that of a transaction-pooling PgBouncer.
        return await psycopg.AsyncConnection.connect(**parameters, prepare_threshold=None)

    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        hide_parameters=True,  # an error message must not quote what a user wrote
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=0,  # so that replicas x pool_size is what the server must allow
        pool_timeout=5,
    )


class UtcDateTime(TypeDecorator[datetime]):
    """`timestamptz` that is read in UTC whatever the server's time zone is. Takes aware datetimes only."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a datetime that does not say its offset: the server would guess."""
        if value is not None and value.utcoffset() is None:
            raise ValueError("a stored datetime must be aware")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the same instant in UTC."""
        return None if value is None else value.astimezone(UTC)


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Return a maker of sessions whose objects stay readable after commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def install_database_problems(app: FastAPI) -> None:
    """Answer 503 with Retry-After while the database refuses, is gone, or gives no connection in time."""
    for kind in (OperationalError, PoolTimeoutError):
        app.add_exception_handler(kind, _on_database_unavailable)


async def _on_database_unavailable(_request: Request, error: Exception) -> Response:
    _log.error("database_unavailable", error=str(error))
    return problem_response(UnavailableError("The database does not answer. Try again shortly."))


async def ping(engine: AsyncEngine) -> None:
    """Raise unless the database answers."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
