"""Checks of a database for the tests of services; depends on no test framework."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine


async def schema_drift(engine: AsyncEngine, metadata: MetaData) -> list[Any]:
    """Returns the operations by which Alembic would make the migrated database match `metadata`."""
    options = {
        "include_schemas": True,
        "include_name": lambda name, kind, _parents: kind != "schema" or name == metadata.schema,
        "include_object": lambda _object, name, _kind, _reflected, _to: name != "alembic_version",
        "compare_server_default": True,
    }
    async with engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: list(compare_metadata(MigrationContext.configure(sync, opts=options), metadata))
        )


async def empty_tables(engine: AsyncEngine, metadata: MetaData) -> None:
    """Deletes all rows of the tables of `metadata` and restarts their sequences."""
    names = ", ".join(f'"{table.schema}"."{table.name}"' for table in metadata.sorted_tables)
    async with engine.begin() as connection:
        await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
