"""Runs the Alembic migrations of a service inside its own schema.

A service keeps its revisions in the folder `migrations` of its package, whose `env.py` is a call of
`run_env`. The service's module `migrate` calls `run_migrations`, so that the chart's Job can run `python -m
todo_<name>.migrate`.
"""

from importlib.resources import files
from typing import Any

import psycopg
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, create_engine, text

from todo_kit.data.database import connection_parameters

LOCK_TIMEOUT = "5s"  # while a migration waits for a table, all later queries of that table wait too


def run_migrations(package: str, schema: str, database_url: str) -> None:
    """Upgrades `schema` to the newest revision in the migrations folder of `package`.

    Creates the schema, holds an advisory lock so that concurrent runs wait for each other, and does
    everything in one transaction: a failing revision leaves the database as it was. A second run changes
    nothing.

    Args:
        package: The name of the service's package, such as `todo_backend`.
        schema: The name of its PostgreSQL schema.
        database_url: A libpq URL.
    """
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(**connection_parameters(database_url))

    engine = create_engine("postgresql+psycopg://", creator=connect, hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
                {"name": f"migrate:{schema}"},
            )
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def run_env(metadata: MetaData, schema: str) -> None:
    """Migrates on the connection that `run_migrations` opened; call it in Alembic's `env.py`."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name == schema,
        compare_server_default=True,
    )
    context.run_migrations()
