"""Runs a service under uvicorn and ends it in order.

One process is one worker: the cluster scales by pods, and Prometheus metrics stay in one registry.
"""

import asyncio
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from todo_kit.drain import Drain
from todo_kit.settings import ServiceSettings

_STARTUP_FAILED = 3  # what uvicorn's own command line exits with


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve `app` until SIGTERM or SIGINT, then end within about `drain_seconds`, with exit code 0.

    On the first signal `app.state.drain` starts, so that streams can end themselves; then no new connection
    is accepted, open requests may finish, and what is left after `drain_seconds` is cancelled.
    """
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # todo_kit.context logs requests, without query strings
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here believes a client's address
        timeout_graceful_shutdown=settings.drain_seconds,
        timeout_keep_alive=75,  # longer than the ingress keeps idle upstream connections (60 s)
    )
    server = _DrainingServer(config, app.state.drain)
    server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILED)


class _DrainingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start draining, then do as uvicorn does, but do not raise the signal again after a clean end.

        uvicorn raises it so that a parent sees death by signal; Kubernetes would show a pod that ended in
        order as failed with 143.
        """
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain.start)
        super().handle_exit(sig, frame)
        self._captured_signals.clear()
