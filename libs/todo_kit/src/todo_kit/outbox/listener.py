"""Wakes a relay when a transaction that enqueued has been committed, by PostgreSQL's LISTEN and NOTIFY.

A convenience only: the relay polls too, so a pooler that swallows notifications costs a second, not an event.
"""

import asyncio
from typing import cast

import psycopg
from sqlalchemy import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_kit.logging import get_logger
from todo_kit.outbox.table import channel

CHECK_SECONDS = 30.0  # a connection that a firewall forgot says nothing by itself
RECONNECT_SECONDS = 5.0

_log = get_logger(__name__)


async def listen(engine: AsyncEngine, table: Table, wake: asyncio.Event) -> None:
    """Set `wake` on every notification until cancelled; reconnects when the connection is lost."""
    while True:
        try:
            await _listen_once(engine, table, wake)
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            _log.warning("outbox_listener_lost", error=repr(error), retry_in_seconds=RECONNECT_SECONDS)
        await asyncio.sleep(RECONNECT_SECONDS)


async def _listen_once(engine: AsyncEngine, table: Table, wake: asyncio.Event) -> None:
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast("psycopg.AsyncConnection[object]", raw.driver_connection)
        try:
            await driver.set_autocommit(True)
            await driver.execute(f'LISTEN "{channel(table)}"'.encode())
            wake.set()  # what was committed before LISTEN took effect
            while True:
                async for _ in driver.notifies(timeout=CHECK_SECONDS):
                    wake.set()
                await driver.execute("SELECT 1")
        finally:
            await connection.invalidate()  # it listens and commits by itself: not for the pool
