"""Runs the load: users, lanes of requests and open streams, until it is told to stop; then compares."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from todo_synthetic_user.load.account import Account
from todo_synthetic_user.load.counts import Counts
from todo_synthetic_user.load.lanes import reads, writes
from todo_synthetic_user.load.live_view import LiveView, StreamCounts, shown
from todo_synthetic_user.origin import Origin

SIGN_IN_SECONDS = 12.0  # below the limits of an address and, taking turns, of an account
START_SECONDS = 30.0
SETTLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LoadShape:
    """How much: `requests_per_second` over all users, half of them by the lanes of writes."""

    users: int = 3
    streams_of_a_user: int = 2
    requests_per_second: float = 12.0


@dataclass(frozen=True)
class LoadReport:
    """What was counted, and how many streams show at the end what the server has."""

    counts: Counts
    streams: tuple[StreamCounts, ...]
    equal_streams: int
    seconds: float

    @property
    def events_lost(self) -> int:
        """Events that a stream should have got and did not."""
        return sum(stream.lost for stream in self.streams)

    @property
    def has_passed(self) -> bool:
        """Whether no request failed, no event was lost and every stream shows what the server has."""
        failed = len(self.counts.failures) + self.events_lost
        return failed == 0 and self.equal_streams == len(self.streams)


async def run_load(
    origin: Origin, shape: LoadShape, stop: asyncio.Event, *, running: asyncio.Event | None = None
) -> LoadReport:
    """Signs the users up, loads the application until `stop` is set, and deletes the users.

    `running` is set as soon as all streams are open and the load is constant.

    Raises:
        UnexpectedAnswerError: A user could not sign up, or the server did not answer at the end.
        TimeoutError: A stream could not be opened.
    """
    counts = Counts()
    accounts: list[Account] = []
    try:
        for _ in range(shape.users):
            accounts.append(Account(origin, counts))
            await accounts[-1].sign_up()
        return await _load(origin, shape, accounts, stop, running or asyncio.Event())
    finally:
        for account in accounts:
            await account.close()


async def _load(
    origin: Origin, shape: LoadShape, accounts: list[Account], stop: asyncio.Event, running: asyncio.Event
) -> LoadReport:
    views = [
        (account, LiveView(origin, account)) for account in accounts for _ in range(shape.streams_of_a_user)
    ]
    following = [asyncio.create_task(view.follow()) for _, view in views]
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.gather(*(view.has_opened.wait() for _, view in views))
        await _run_lanes(accounts, shape, stop, running)
        seconds = time.monotonic() - began_at
        equal = await _settled(views)
    finally:
        for task in following:
            task.cancel()
        ended = await asyncio.gather(*following, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
    for _, view in views:
        view.count_lost()
    return LoadReport(accounts[0].counts, tuple(view.counts for _, view in views), equal, seconds)


async def _run_lanes(
    accounts: list[Account], shape: LoadShape, stop: asyncio.Event, running: asyncio.Event
) -> None:
    lanes = [lane(account) for account in accounts for lane in (reads, writes)]
    interval = len(lanes) / shape.requests_per_second
    working = [asyncio.create_task(_pace(lane, interval, stop)) for lane in lanes]
    working.append(asyncio.create_task(_sign_in(accounts, stop)))
    running.set()
    await asyncio.gather(*working)


async def _pace(lane: AsyncIterator[None], interval: float, stop: asyncio.Event) -> None:
    """Takes a step every `interval` seconds; a slow answer delays the next step, and they are caught up."""
    due = time.monotonic()
    async for _ in lane:
        due = max(due + interval, time.monotonic() - 5 * interval)
        if await _has_stopped_within(due - time.monotonic(), stop):
            return


async def _sign_in(accounts: Sequence[Account], stop: asyncio.Event) -> None:
    for account in itertools.cycle(accounts):
        if await _has_stopped_within(SIGN_IN_SECONDS, stop):
            return
        await account.sign_in()


async def _has_stopped_within(seconds: float, stop: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
    except TimeoutError:
        return stop.is_set()
    return True


async def _settled(views: Sequence[tuple[Account, LiveView]]) -> int:
    """Waits until every stream shows what the server has, and returns how many do at the end."""
    expected = {account: shown(await account.tasks()) for account in {account for account, _ in views}}
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        equal = sum(shown(view.tasks) == expected[account] for account, view in views)
        if equal == len(views) or time.monotonic() > deadline:
            return equal
        await asyncio.sleep(0.1)
