"""How a service stops: a real subprocess, a real signal, open streams."""

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
DELAY_SECONDS = 2


@asynccontextmanager
async def running_service(port: int, delay_seconds: float = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs the example service until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SERVICE),
        env={
            "PORT": str(port),
            "HOST": "127.0.0.1",
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            "SHUTDOWN_DELAY_SECONDS": str(delay_seconds),
        },
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
async def test_signal_lets_streams_end_themselves_and_exits_zero(number: signal.Signals) -> None:
    """A stream that waits for the drain sends its last line before the time limit."""
    port = free_port()
    async with (
        running_service(port) as process,
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


async def test_endless_stream_is_cut_at_the_time_limit_and_exit_is_zero() -> None:
    """A stream that ignores the drain cannot keep the process running."""
    port = free_port()
    async with (
        running_service(port) as process,
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
    """A request that was accepted before the signal is answered."""
    port = free_port()
    async with (
        running_service(port) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        async with client.stream("GET", "/slow") as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "working"
            process.send_signal(signal.SIGTERM)
            assert [line async for line in lines] == ["done"]
        assert await asyncio.wait_for(process.wait(), DRAIN_SECONDS + 3) == 0


async def test_terminating_process_is_unready_at_once_and_answers_until_the_delay_is_over() -> None:
    """A load balancer that notices late loses no request, on new connections and on open ones."""
    port = free_port()
    answers: list[tuple[float, int, str]] = []

    async def keep_asking(client: httpx2.AsyncClient) -> None:
        while True:
            response = await client.get("/healthz")
            answers.append(
                (time.monotonic(), response.status_code, response.headers.get("connection", "keep-alive"))
            )

    async with running_service(port, DELAY_SECONDS) as process:
        clients = [httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") for _ in range(8)]
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(keep_asking(client)) for client in clients]
            await wait_until(lambda: len(answers) > 50)
            asked_at = time.monotonic()
            process.send_signal(signal.SIGTERM)
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as probe:
                await wait_until(lambda: any(at > asked_at + 0.05 for at, *_ in answers))
                assert (await probe.get("/readyz")).status_code == 503
            await wait_until(lambda: answers[-1][0] > asked_at + DELAY_SECONDS - 0.5)
            for task in asking:
                task.cancel()
        for client in clients:
            await client.aclose()
        assert await asyncio.wait_for(process.wait(), DELAY_SECONDS + DRAIN_SECONDS) == 0
        assert time.monotonic() - asked_at >= DELAY_SECONDS
    assert {status for _, status, _ in answers} == {200}
    assert {kept for at, _, kept in answers if at < asked_at} == {"keep-alive"}
    assert {kept for at, _, kept in answers if at > asked_at + 0.2} == {"close"}


async def test_second_signal_ends_the_delay() -> None:
    """Somebody who presses Ctrl-C twice does not wait for load balancers."""
    port = free_port()
    async with running_service(port, delay_seconds=60) as process:
        process.send_signal(signal.SIGINT)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await wait_until(lambda: _is_unready(port))
            assert (await client.get("/healthz")).headers["connection"] == "close"
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), DRAIN_SECONDS + 3) == 0


def _is_unready(port: int) -> bool:
    return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 503


async def test_port_in_use_exits_with_three() -> None:
    """A process that could not start does not exit with zero."""
    port = free_port()
    async with running_service(port):
        second = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SERVICE),
            env={"PORT": str(port), "HOST": "127.0.0.1"},
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await asyncio.wait_for(second.wait(), 15) == 3
