"""Serves the gateway: `python -m todo_sse_gateway`."""

from todo_kit.server import serve
from todo_sse_gateway.app import create_app
from todo_sse_gateway.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_environment()
    serve(create_app(settings), settings)
