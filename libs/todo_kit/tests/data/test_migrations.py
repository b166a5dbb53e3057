"""Migrations on a real PostgreSQL: in their own schema, all or nothing, and safe to run concurrently."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import scalar_row
from sqlalchemy.exc import ProgrammingError

from todo_embedded.postgres import PostgresServer
from todo_kit.data.migrations import run_migrations

ENV = """
from sqlalchemy import MetaData
from todo_kit.data.migrations import run_env

run_env(MetaData(schema="example"), "example")
"""
REVISION = """
from alembic import op

revision = "{revision}"
down_revision = {down_revision!r}


def upgrade() -> None:
    op.execute({statement!r})
"""


class Package:
    """A package with migrations, for one test."""

    def __init__(self, folder: Path, name: str) -> None:
        """Creates the package without revisions."""
        self.name = name
        self._versions = folder / name / "migrations" / "versions"
        self._versions.mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (self._versions.parent / "env.py").write_text(ENV)
        self._last: str | None = None

    def add(self, revision: str, statement: str) -> None:
        """Adds a revision after the last one."""
        text = REVISION.format(revision=revision, down_revision=self._last, statement=statement)
        (self._versions / f"{revision}.py").write_text(text)
        self._last = revision


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Package:
    """Returns a package that can be imported and has a revision that creates a table."""
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(tmp_path, f"migrating_{request.node.name}")
    package.add("r1", "CREATE TABLE example.first (id int)")
    return package


@pytest.fixture
def url(postgres: PostgresServer, request: pytest.FixtureRequest) -> str:
    """Returns the URL of an empty database."""
    return postgres.create_database(request.node.name)


def tables(url: str) -> list[str]:
    """Returns all tables of the database except PostgreSQL's own."""
    with psycopg.connect(url, row_factory=scalar_row) as connection:
        return connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        ).fetchall()


def test_all_tables_are_created_inside_the_schema(package: Package, url: str) -> None:
    """Alembic's own table is in the schema too, because services share a database."""
    run_migrations(package.name, "example", url)
    assert tables(url) == ["example.alembic_version", "example.first"]


def test_second_run_applies_only_new_revisions(package: Package, url: str) -> None:
    """A run applies the revisions that were added since the last run."""
    run_migrations(package.name, "example", url)
    package.add("r2", "CREATE TABLE example.second (id int)")
    run_migrations(package.name, "example", url)
    run_migrations(package.name, "example", url)
    assert tables(url) == ["example.alembic_version", "example.first", "example.second"]


def test_failing_revision_leaves_the_database_unchanged(package: Package, url: str) -> None:
    """The database is as it was before the run, whichever revision failed."""
    package.add("r2", "CREATE TABLE nowhere.second (id int)")
    with pytest.raises(ProgrammingError):
        run_migrations(package.name, "example", url)
    assert tables(url) == []


def test_concurrent_runs_wait_for_each_other(package: Package, url: str) -> None:
    """A run waits while another one holds the advisory lock."""
    with ThreadPoolExecutor(1) as other, psycopg.connect(url) as holder:
        holder.execute("SELECT pg_advisory_lock(hashtextextended('migrate:example', 0))")
        run = other.submit(run_migrations, package.name, "example", url)
        with pytest.raises(TimeoutError):
            run.result(timeout=0.5)
        assert tables(url) == []
        holder.execute("SELECT pg_advisory_unlock_all()")
        run.result(timeout=10)
    assert tables(url) == ["example.alembic_version", "example.first"]
