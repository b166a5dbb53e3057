"""Builds the notification service's application."""

from fastapi import FastAPI

from todo_kit.bus import Publisher
from todo_kit.data.app import create_data_service
from todo_kit.topics import Topics
from todo_notification.database import outbox
from todo_notification.notifications import routes as notifications
from todo_notification.notifications.service import NotificationService
from todo_notification.settings import Settings
from todo_notification.subscriptions import EventHandlers, subscribe_to_events


def create_app(settings: Settings, *, publisher: Publisher | None = None) -> FastAPI:
    """Returns the service; events go to `publisher`, or through the Dapr sidecar without one."""
    topics = Topics(settings.topic_prefix)
    app = create_data_service(settings, outbox=outbox, publisher=publisher, routers=[notifications.router])
    service = NotificationService(app.state.sessions, topics)
    app.state.notifications = service
    subscribe_to_events(
        app, settings.pubsub_name, topics, EventHandlers(service), app_token=settings.app_api_token
    )
    return app
