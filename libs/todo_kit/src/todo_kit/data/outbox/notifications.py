"""Wakes the process that publishes, by PostgreSQL's LISTEN and NOTIFY, when another one has committed events.

It only saves time: the relay polls too, so behind a pooler that loses notifications an event is a second
late.
"""

import asyncio
from typing import cast

import psycopg
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_kit.data.outbox.table import Outbox
from todo_kit.logging import get_logger

CHECK_SECONDS = 30.0  # a connection that a firewall dropped reports no error by itself
RECONNECT_SECONDS = 5.0

_log = get_logger(__name__)


async def notify(engine: AsyncEngine, outbox: Outbox) -> None:
    """Wakes the process that publishes the events of `outbox`, in a transaction of its own."""
    async with engine.begin() as connection:
        await connection.execute(select(func.pg_notify(outbox.channel, "")))


async def listen(engine: AsyncEngine, outbox: Outbox, wake: asyncio.Event) -> None:
    """Sets `wake` on every notification until cancelled; reconnects when the connection is lost."""
    while True:
        try:
            await _listen_once(engine, outbox, wake)
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            _log.warning("outbox_listener_lost", error=repr(error), retry_in_seconds=RECONNECT_SECONDS)
        await asyncio.sleep(RECONNECT_SECONDS)


async def _listen_once(engine: AsyncEngine, outbox: Outbox, wake: asyncio.Event) -> None:
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast("psycopg.AsyncConnection[object]", raw.driver_connection)
        try:
            await driver.set_autocommit(True)
            await driver.execute(f'LISTEN "{outbox.channel}"'.encode())
            wake.set()  # for what was committed before LISTEN took effect
            while True:
                async for _ in driver.notifies(timeout=CHECK_SECONDS):
                    wake.set()
                await driver.execute("SELECT 1")
        finally:
            await (
                connection.invalidate()
            )  # it listens and is in autocommit mode, so it must not return to the pool
