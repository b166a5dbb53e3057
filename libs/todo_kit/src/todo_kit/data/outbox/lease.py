"""A lease in a table: at most one process holds it, and another takes it over when that process stops."""

import time
import uuid
from collections.abc import Callable

from sqlalchemy import Table, delete, func, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

LEASE_SECONDS = 8.0
RENEW_SECONDS = 1.0


class Lease:
    """The right to do what only one process may do at a time.

    A process that is frozen or killed holds it for at most `LEASE_SECONDS` more. Expiry is decided by the
    database's clock; the holder itself counts on its own monotonic clock from before it asked, so it never
    believes in the lease for longer than the database does.
    """

    def __init__(
        self, engine: AsyncEngine, table: Table, name: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepares.

        Args:
            engine: Commits each statement by itself.
            table: Has the columns `name`, `holder` and `expires_at`.
            name: What the lease is for.
            clock: Seconds that pass also while the process is frozen.
        """
        self._engine = engine
        self._table = table
        self._name = name
        self._clock = clock
        self._holder = uuid.uuid4()
        self._asked_at = -LEASE_SECONDS
        self._is_held = False

    @property
    def seconds_left(self) -> float:
        """For how long this process still holds the lease; 0 if it does not."""
        if not self._is_held:
            return 0.0
        return max(0.0, self._asked_at + LEASE_SECONDS - self._clock())

    async def ensure(self) -> bool:
        """Takes or renews the lease if that is due, and returns whether this process holds it."""
        if self._clock() - self._asked_at < RENEW_SECONDS:
            return self.seconds_left > 0
        self._asked_at = self._clock()
        seconds = func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
        values = {"holder": self._holder, "expires_at": func.clock_timestamp() + seconds}
        is_free = or_(self._table.c.holder == self._holder, self._table.c.expires_at < func.clock_timestamp())
        taken = (
            insert(self._table)
            .values(name=self._name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=values, where=is_free)
            .returning(self._table.c.name)
        )
        async with self._engine.begin() as connection:
            self._is_held = (await connection.execute(taken)).first() is not None
        return self._is_held

    async def release(self) -> None:
        """Gives the lease up at once, so that no other process has to wait for its expiry."""
        self._is_held = False
        mine = delete(self._table).where(
            self._table.c.name == self._name, self._table.c.holder == self._holder
        )
        async with self._engine.begin() as connection:
            await connection.execute(mine)
