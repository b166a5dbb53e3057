"""Runs a service under uvicorn and stops it gracefully.

A process has one worker: the cluster scales by pods, and Prometheus metrics stay in one registry.
"""

import asyncio
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from todo_kit.drain import Drain
from todo_kit.settings import ServiceSettings

KEEP_ALIVE_SECONDS = 95
"""Longer than any proxy of ours keeps an idle connection: ingress-nginx 60 s, Traefik 90 s.

The side that closes first must be the proxy: a request that it sends while we close is answered with 502.
"""
_STARTUP_FAILED = 3  # the exit code of uvicorn's own command line
_CLOSE = (b"connection", b"close")


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serves `app` until SIGTERM or SIGINT, then stops with exit code 0.

    1. The signal starts `app.state.drain`. The process is unready and serves on for `shutdown_delay_seconds`,
       because load balancers send requests until they have noticed; each answer closes its connection.
    2. Then no connection is accepted, open requests may finish, and those that are left after `drain_seconds`
       are cancelled.

    A second signal ends the first part at once.
    """
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # todo_kit.context logs requests, without query strings
        log_config=None,
        server_header=False,
        proxy_headers=False,  # no service uses a client's address
        timeout_graceful_shutdown=settings.drain_seconds,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    server = _DrainingServer(config, app.state.drain, settings.shutdown_delay_seconds)
    server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILED)


class _DrainingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain: Drain, delay_seconds: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._delay_seconds = delay_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts draining, and does what uvicorn does after the delay or at the second signal.

        Without raising the signal again at the end, as uvicorn does so that the parent process sees an end by
        signal: Kubernetes would show a pod that stopped gracefully as failed, with exit code 143.
        """
        if self._loop is None or self._drain.is_draining:
            super().handle_exit(sig, frame)
            self._captured_signals.clear()
        else:
            self._loop.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        if self._drain.is_draining:
            return
        self._drain.start()
        # uvicorn sends these headers with every response and closes the connection after one with "close".
        self.config.encoded_headers.append(_CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        asyncio.get_running_loop().call_later(self._delay_seconds, self._stop_accepting)

    def _stop_accepting(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._drain.close()
        await super().shutdown(sockets)
