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

_STARTUP_FAILED = 3  # the exit code of uvicorn's own command line


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serves `app` until SIGTERM or SIGINT, then stops within about `drain_seconds`, with exit code 0.

    The first signal starts `app.state.drain`, so that streams can end themselves. Then no new connection is
    accepted, open requests may finish, and those that are left after `drain_seconds` are cancelled.
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
        """Starts draining, then does what uvicorn does, but without raising the signal again at the end.

        uvicorn raises it so that the parent process sees an end by signal. Kubernetes would show a pod that
        stopped gracefully as failed, with exit code 143.
        """
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain.start)
        super().handle_exit(sig, frame)
        self._captured_signals.clear()
