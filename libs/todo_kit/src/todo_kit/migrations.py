"""Runs one service's Alembic migrations inside its own schema, and nowhere else.

A service keeps its scripts in its package's `migrations` folder, whose `env.py` is one call of `run_env`, and
starts them with `python -m todo_<name>.migrate`, which is one call of `migrate_from_environment`.
"""

from importlib.resources import files
from typing import Any

import psycopg
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, create_engine, text

from todo_kit.database import connection_parameters
from todo_kit.settings import DatabaseSettings

LOCK_TIMEOUT = "5s"  # a migration that waits longer for a table would make every later query of it wait too


def run_migrations(package: str, schema: str, database_url: str) -> None:
    """Bring `schema` to the newest revision in `package`'s migrations folder.

    Creates the schema, holds an advisory lock so that concurrent runs queue, and does everything in one
    transaction: a failing revision leaves the database as it was. Running it again changes nothing.
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


def migrate_from_environment(package: str, schema: str) -> None:
    """Run the migrations against DATABASE_URL: the body of a service's `migrate` module."""
    settings = DatabaseSettings()  # type: ignore[call-arg]  # from the environment
    run_migrations(package, schema, settings.database_url.get_secret_value())


def run_env(metadata: MetaData, schema: str) -> None:
    """Run inside Alembic's `env.py`: migrate on the connection that `run_migrations` opened."""
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
