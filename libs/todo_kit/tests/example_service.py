"""A service for test_server, with streams that end in each possible way."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from todo_kit.app import create_service
from todo_kit.drain import Drain
from todo_kit.server import serve
from todo_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings from the environment that the test sets."""

    service = "example"


settings = Settings.from_environment()
app = create_service(settings)
drain: Drain = app.state.drain


@app.get("/polite")
async def polite() -> StreamingResponse:
    """Streams until the drain and ends itself."""

    async def lines() -> AsyncIterator[str]:
        yield "hello\n"
        await drain.wait()
        yield "bye\n"

    return StreamingResponse(lines())


@app.get("/endless")
async def endless() -> StreamingResponse:
    """Streams for ever."""

    async def lines() -> AsyncIterator[str]:
        yield "hello\n"
        await asyncio.Event().wait()

    return StreamingResponse(lines())


@app.get("/slow")
async def slow() -> StreamingResponse:
    """Ends half a second after the drain began."""

    async def lines() -> AsyncIterator[str]:
        yield "working\n"
        await drain.wait()
        await asyncio.sleep(0.5)
        yield "done\n"

    return StreamingResponse(lines())


if __name__ == "__main__":
    serve(app, settings)
