"""Serves the tools: `python -m todo_mcp`."""

from todo_kit.server import serve
from todo_mcp.app import create_app
from todo_mcp.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_environment()
    serve(create_app(settings), settings)
