"""The end of a process, seen from outside: a real subprocess, a real signal, an open stream."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from todo_embedded.ports import free_port
from todo_kit.testing import wait_until

SERVICE = Path(__file__).with_name("example_service.py")
DRAIN_SECONDS = 2


@asynccontextmanager
async def running(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the example service until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SERVICE),
        env={"PORT": str(port), "HOST": "127.0.0.1", "DRAIN_SECONDS": str(DRAIN_SECONDS)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await wait_until(lambda: _accepts(port))
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_lets_streams_say_goodbye_and_exits_zero(number: signal.Signals) -> None:
    """A stream that waits for the drain ends itself, whole, well before the bound."""
    port = free_port()
    async with (
        running(port) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        client.stream("GET", "/polite") as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == "hello"
        asked_at = time.monotonic()
        process.send_signal(number)
        assert [line async for line in lines] == ["bye"]
        assert await asyncio.wait_for(process.wait(), DRAIN_SECONDS) == 0
        assert time.monotonic() - asked_at < DRAIN_SECONDS


async def test_stream_that_never_ends_is_cut_at_the_bound_and_exit_is_zero() -> None:
    """A stream that ignores the drain cannot keep the process beyond its grace."""
    port = free_port()
    async with (
        running(port) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
        client.stream("GET", "/endless") as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == "hello"
        asked_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), DRAIN_SECONDS + 3) == 0
        assert time.monotonic() - asked_at >= DRAIN_SECONDS


async def test_request_in_flight_is_finished() -> None:
    """What was accepted is answered."""
    port = free_port()
    async with running(port) as process, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        async with client.stream("GET", "/slow") as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "working"
            process.send_signal(signal.SIGTERM)
            assert [line async for line in lines] == ["done"]
        assert await asyncio.wait_for(process.wait(), DRAIN_SECONDS + 3) == 0


async def test_port_that_is_taken_is_a_failed_start() -> None:
    """A process that never served does not pretend to have ended in order."""
    port = free_port()
    async with running(port):
        second = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SERVICE),
            env={"PORT": str(port), "HOST": "127.0.0.1"},
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await asyncio.wait_for(second.wait(), 15) == 3
