"""Measures an outbox table and deletes rows that were published long ago."""

from datetime import timedelta

from sqlalchemy import Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from todo_kit.data.outbox import metrics

KEEP_PUBLISHED = timedelta(days=1)  # to find out the next day whether and when an event was published
PRUNED_AT_ONCE = 5000


async def keep_up(engine: AsyncEngine, table: Table) -> None:
    """Sets the gauges and deletes up to `PRUNED_AT_ONCE` rows published more than `KEEP_PUBLISHED` ago."""
    age = func.extract("epoch", func.now() - func.min(table.c.created_at))
    waiting = select(func.count(), func.coalesce(age, 0)).where(table.c.published_at.is_(None))
    old = (
        select(table.c.position)
        .where(table.c.published_at < func.now() - KEEP_PUBLISHED)
        .limit(PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)  # another replica may delete the same rows
    )
    async with engine.begin() as connection:
        backlog, oldest_seconds = (await connection.execute(waiting)).one()
        await connection.execute(delete(table).where(table.c.position.in_(old)))
    metrics.BACKLOG.set(backlog)
    metrics.OLDEST_AGE.set(oldest_seconds)
