"""PostgreSQL through SQLAlchemy and psycopg 3: engine, sessions, column types and outages."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import DateTime, Dialect, MetaData, TypeDecorator, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from starlette.responses import Response

from todo_kit.logging import get_logger
from todo_kit.problems import UnavailableError, problem_response

_log = get_logger(__name__)

CONNECT_TIMEOUT_SECONDS = 5
# A lost connection is noticed after some 20 s, also where a firewall drops packets in silence.
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}

_NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def service_metadata(schema: str) -> MetaData:
    """Returns the metadata of a service's tables: its own schema, and the names that constraints get."""
    return MetaData(schema=schema, naming_convention=_NAMING_CONVENTION)


def connection_parameters(url: str) -> dict[str, Any]:
    """Returns psycopg's arguments for a libpq URL, with time limits unless the URL sets them."""
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS} | KEEPALIVE | conninfo_to_dict(url)


def create_engine(url: str | SecretStr, *, pool_size: int = 10) -> AsyncEngine:
    """Returns an engine for a libpq URL; nothing connects yet.

    The URL is passed to libpq as it is: `sslmode`, `channel_binding` and `host=/socket` work as documented
    there.
    """
    plain = url.get_secret_value() if isinstance(url, SecretStr) else url
    parameters = connection_parameters(plain)

    async def connect() -> psycopg.AsyncConnection[Any]:
        # Without prepared statements the URL may point to a transaction-pooling PgBouncer.
        return await psycopg.AsyncConnection.connect(**parameters, prepare_threshold=None)

    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        hide_parameters=True,  # an error message must not quote what a user wrote
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=0,  # the server must allow exactly replicas x pool_size connections
        pool_timeout=5,
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A `timestamptz` that is read in UTC, whatever the server's time zone is. Takes aware datetimes only."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a datetime without an offset, because the server would guess one."""
        if value is not None and value.utcoffset() is None:
            raise ValueError(f"the datetime {value} has no UTC offset; store aware datetimes only")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns the same instant in UTC."""
        return None if value is None else value.astimezone(UTC)


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Returns a factory of sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def install_database_problems(app: FastAPI) -> None:
    """Makes `app` answer 503 with Retry-After while it gets no connection to the database."""
    for error in (OperationalError, PoolTimeoutError):
        app.add_exception_handler(error, _on_database_unavailable)


async def _on_database_unavailable(_request: Request, error: Exception) -> Response:
    _log.error("database_unavailable", error=str(error))
    return problem_response(UnavailableError("The database does not answer. Try again shortly."))


async def ping(engine: AsyncEngine) -> None:
    """Raises an exception unless the database answers."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
