"""PostgreSQL through SQLAlchemy and psycopg 3."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

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


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Return a maker of sessions whose objects stay readable after commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


async def ping(engine: AsyncEngine) -> None:
    """Raise unless the database answers."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
