"""Serves the backend: `python -m todo_backend`."""

from todo_backend.app import create_app
from todo_backend.settings import Settings
from todo_kit.server import serve

if __name__ == "__main__":
    settings = Settings.from_environment()
    serve(create_app(settings), settings)
