"""Migrations on a real PostgreSQL: within one schema, all or nothing, and safe to start twice at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import scalar_row
from sqlalchemy.exc import ProgrammingError

from todo_embedded.postgres import PostgresServer
from todo_kit.migrations import run_migrations

ENV = """
from sqlalchemy import MetaData
from todo_kit.migrations import run_env

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
    """A package with migrations, made for one test."""

    def __init__(self, folder: Path, name: str) -> None:
        """Begin without revisions."""
        self.name = name
        self._versions = folder / name / "migrations" / "versions"
        self._versions.mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (self._versions.parent / "env.py").write_text(ENV)
        self._last: str | None = None

    def add(self, revision: str, statement: str) -> None:
        """Add a revision after the last one."""
        text = REVISION.format(revision=revision, down_revision=self._last, statement=statement)
        (self._versions / f"{revision}.py").write_text(text)
        self._last = revision


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Package:
    """Return a package that can be imported and has one table to make."""
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(tmp_path, f"migrating_{request.node.name}")
    package.add("r1", "CREATE TABLE example.first (id int)")
    return package


@pytest.fixture
def url(postgres: PostgresServer, request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database."""
    return postgres.create_database(request.node.name)


def tables(url: str) -> list[str]:
    """Return every table of the database that is not the server's own."""
    with psycopg.connect(url, row_factory=scalar_row) as connection:
        return connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        ).fetchall()


def test_everything_is_made_inside_the_schema(package: Package, url: str) -> None:
    """Alembic's own table too: two services share one database."""
    run_migrations(package.name, "example", url)
    assert tables(url) == ["example.alembic_version", "example.first"]


def test_new_revisions_are_applied_to_what_is_there(package: Package, url: str) -> None:
    """A second run does only what is new."""
    run_migrations(package.name, "example", url)
    package.add("r2", "CREATE TABLE example.second (id int)")
    run_migrations(package.name, "example", url)
    run_migrations(package.name, "example", url)
    assert tables(url) == ["example.alembic_version", "example.first", "example.second"]


def test_failing_revision_leaves_nothing_behind(package: Package, url: str) -> None:
    """The release stops with the database as it was, whichever revision failed."""
    package.add("r2", "CREATE TABLE nowhere.second (id int)")
    with pytest.raises(ProgrammingError):
        run_migrations(package.name, "example", url)
    assert tables(url) == []


def test_runs_at_the_same_time_queue(package: Package, url: str) -> None:
    """Two releases, or two pods of one job, do not trip over each other."""
    with ThreadPoolExecutor(1) as other, psycopg.connect(url) as holder:
        holder.execute("SELECT pg_advisory_lock(hashtextextended('migrate:example', 0))")
        run = other.submit(run_migrations, package.name, "example", url)
        with pytest.raises(TimeoutError):
            run.result(timeout=0.5)
        assert tables(url) == []
        holder.execute("SELECT pg_advisory_unlock_all()")
        run.result(timeout=10)
    assert tables(url) == ["example.alembic_version", "example.first"]
