"""Serves notifications: `python -m todo_notification`."""

from todo_kit.server import serve
from todo_notification.app import create_app
from todo_notification.settings import Settings

if __name__ == "__main__":
    settings = Settings.from_environment()
    serve(create_app(settings), settings)
