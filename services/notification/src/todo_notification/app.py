"""Puts the notification service together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from todo_kit.app import create_service
from todo_kit.auth import TokenVerifier
from todo_kit.bus import DaprPublisher, Publisher
from todo_kit.database import create_engine, install_database_problems, ping, session_factory
from todo_kit.outbox import Relay
from todo_kit.topics import Topics
from todo_notification.database import outbox
from todo_notification.notifications import routes as notifications
from todo_notification.notifications.service import NotificationService
from todo_notification.settings import Settings
from todo_notification.subscriptions import Teller, subscribe_to_events


def create_app(settings: Settings, *, publisher: Publisher | None = None) -> FastAPI:
    """Return the service; events go to `publisher`, or through the Dapr sidecar without one.

    Connects to nothing: that is left to the first request and to the lifespan, which also runs the relay.
    """
    engine = create_engine(settings.database_url)
    verifier = TokenVerifier.from_settings(settings)
    topics = Topics(settings.topic_prefix)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            stack.push_async_callback(verifier.aclose)
            bus = publisher
            if bus is None:
                sidecar = bus = DaprPublisher(settings.pubsub_name)
                stack.push_async_callback(sidecar.aclose)
            await stack.enter_async_context(Relay(engine, outbox, bus).running())
            yield

    app = create_service(
        settings,
        lifespan=lifespan,
        routers=[notifications.router],
        readiness={"database": partial(ping, engine)},
    )
    install_database_problems(app)
    app.state.verifier = verifier
    app.state.notifications = NotificationService(session_factory(engine), topics)
    subscribe_to_events(app, settings.pubsub_name, topics, Teller(app.state.notifications))
    return app
