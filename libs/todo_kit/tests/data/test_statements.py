"""Single statements on the connections of a pool."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Integer, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_embedded.postgres import PostgresServer
from todo_kit.data.database import create_engine
from todo_kit.data.statements import Statements, compile_statement
from todo_kit.problems import UnavailableError


@pytest.fixture
async def engine(postgres: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """Returns an engine with a single connection."""
    engine = create_engine(postgres.create_database("statements"), pool_size=1)
    yield engine
    await engine.dispose()


async def test_statement_is_a_transaction_of_its_own(engine: AsyncEngine) -> None:
    """What it wrote is committed, and the connection returns to the pool without a transaction."""
    statements = Statements(engine)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE things (name text)"))
    created = await statements.fetch("INSERT INTO things VALUES (%(name)s) RETURNING name", {"name": "a"})
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT name FROM things"))).all()
        assert (created, rows) == ([{"name": "a"}], [("a",)])
        await connection.rollback()
        assert (await connection.execute(text("SELECT count(*) FROM things"))).scalar_one() == 1


async def test_composed_statement_takes_its_parameters_by_name(engine: AsyncEngine) -> None:
    """The text that SQLAlchemy composes is what psycopg takes."""
    statement = compile_statement(select(bindparam("number", type_=Integer).label("same")))
    assert await Statements(engine).fetch(statement, {"number": 1}) == [{"same": 1}]


async def test_relay_is_woken_after_a_statement_that_enqueues(engine: AsyncEngine) -> None:
    """And not by one that failed."""
    woken: list[str] = []
    statements = Statements(engine)
    statements.on_enqueued = lambda: woken.append("woken")
    await statements.fetch("SELECT 1 AS one", {})
    assert woken == []
    await statements.enqueue("SELECT 1 AS one", {})
    assert woken == ["woken"]


async def test_lost_connection_is_unavailable_and_leaves_the_pool(engine: AsyncEngine) -> None:
    """The caller is asked to try again, and the next statement gets a new connection."""
    statements = Statements(engine)
    with pytest.raises(UnavailableError):
        await statements.fetch("SELECT pg_terminate_backend(pg_backend_pid())", {})
    assert await statements.fetch("SELECT 1 AS one", {}) == [{"one": 1}]
