"""What a browser sees of its stream, over real HTTP."""

import asyncio
import socket
from datetime import timedelta

import httpx2
import pytest

from todo_kit.canary import KEYS
from todo_kit.sidecar_token import HEADER
from todo_kit.testing import (
    APP_API_TOKEN,
    DAPR_API_TOKEN,
    MemoryPublisher,
    TokenIssuer,
    serving,
    wait_until,
)
from todo_sse_gateway.app import create_app
from todo_sse_gateway.limits import Limits
from todo_sse_gateway.settings import Settings

from .conftest import Gateway, WallClock


async def wait_until_ready(client: httpx2.AsyncClient) -> None:
    """Returns when the gateway is ready; raises TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while (await client.get("/readyz")).status_code != 200:
            pass


async def test_response_is_an_unbuffered_event_stream(gateway: Gateway) -> None:
    """The headers tell caches and nginx to pass every byte on at once."""
    async with gateway.stream("ann") as reader:
        headers = reader.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert len(headers["x-request-id"]) == 32


async def test_change_is_sent_to_every_stream_of_its_user(gateway: Gateway) -> None:
    """Two tabs of a user get the event with all its members and one position."""
    async with gateway.stream("ann") as first, gateway.stream("ann") as second:
        assert [(await tab.event()).name for tab in (first, second)] == ["sync.ready", "sync.ready"]
        await gateway.change_task("ann", "e-1", task_id="t-1")
        expected = {"event_type": "task.updated", "user_id": "ann", "mark": "e-1", "task_id": "t-1"}
        events = [await tab.event() for tab in (first, second)]
        assert [(event.name, event.data) for event in events] == [("sync.task-changed", expected)] * 2
        assert events[0].event_id == events[1].event_id


async def test_change_is_not_sent_to_another_user(gateway: Gateway) -> None:
    """The next event in another user's stream is that user's own."""
    async with gateway.stream("bob") as of_bob:
        await of_bob.event()
        await gateway.change_task("ann", "e-ann")
        await gateway.change_task("bob", "e-bob")
        assert (await of_bob.event()).mark == "e-bob"


async def test_notification_has_its_own_event_name(gateway: Gateway) -> None:
    """An event of the topic `notifications` has the name `notification` in the stream."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        payload = {"event_type": "notification.created", "user_id": "ann", "title": "Done"}
        await gateway.deliver("notifications", payload, "n-1")
        event = await reader.event()
    assert (event.name, event.data) == ("notification", payload)


async def test_reminder_on_the_topic_of_notifications_is_not_for_browsers(gateway: Gateway) -> None:
    """A reminder is for the notification service; the gateway acknowledges and ignores it."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        await gateway.deliver("notifications", {"event_type": "reminder.overdue", "user_id": "ann"}, "r-1")
        await gateway.change_task("ann", "e-1")
        assert (await reader.event()).mark == "e-1"
    assert gateway.bus.outcomes == ["SUCCESS", "SUCCESS"]


async def test_event_delivered_twice_arrives_once(gateway: Gateway) -> None:
    """An event that the bus delivers again is not sent again."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        for event_id in ("e-1", "e-1", "e-2"):
            await gateway.change_task("ann", event_id)
        assert [(await reader.event()).mark for _ in range(2)] == ["e-1", "e-2"]


async def test_returning_client_gets_exactly_what_it_missed(gateway: Gateway) -> None:
    """With Last-Event-ID a stream resumes, and no event is lost or repeated."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        await gateway.change_task("ann", "e-1")
        position = (await reader.event()).event_id
    await gateway.change_task("ann", "e-2")
    await gateway.change_task("bob", "e-bob")
    await gateway.change_task("ann", "e-3")
    async with gateway.stream("ann", last_event_id=position) as reader:
        await gateway.change_task("ann", "e-4")
        assert [(await reader.event()).mark for _ in range(3)] == ["e-2", "e-3", "e-4"]


async def test_client_that_saw_no_event_resumes_from_its_ready_position(gateway: Gateway) -> None:
    """A tab without any event does not miss a change that came while it was disconnected."""
    async with gateway.stream("ann") as reader:
        position = (await reader.event()).event_id
    await gateway.change_task("ann", "e-1")
    async with gateway.stream("ann", last_event_id=position) as reader:
        assert (await reader.event()).mark == "e-1"


async def test_gap_that_cannot_be_replayed_is_answered_with_a_reset(gateway: Gateway) -> None:
    """A client with an unknown position gets `sync.reset` and can resume from there."""
    async with gateway.stream("ann", last_event_id="of-an-earlier-process") as reader:
        reset = await reader.event()
    assert (reset.name, reset.data) == ("sync.reset", {})
    await gateway.change_task("ann", "e-1")
    async with gateway.stream("ann", last_event_id=reset.event_id) as reader:
        assert (await reader.event()).mark == "e-1"


async def test_old_event_that_may_have_been_missed_is_a_reset(
    gateway: Gateway, wall_clock: WallClock
) -> None:
    """An event older than what the gateway keeps is not dropped in silence: browsers start anew."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        wall_clock.ahead = timedelta(seconds=301)
        await gateway.change_task("ann", "e-old")
        wall_clock.ahead = timedelta(0)
        await gateway.change_task("ann", "e-new")
        assert (await reader.event()).name == "sync.reset"
        assert (await reader.event()).mark == "e-new"


async def test_missing_event_is_a_reset_and_its_number_is_not_for_browsers(gateway: Gateway) -> None:
    """Numbers show that an event is missing; afterwards the stream goes on."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        for number in (1, 3, 4):
            await gateway.change_task("ann", f"e-{number}", sequence=number)
        events = [await reader.event() for _ in range(3)]
    assert [event.name for event in events] == ["sync.task-changed", "sync.reset", "sync.task-changed"]
    assert events[2].data == {"event_type": "task.updated", "user_id": "ann", "mark": "e-4"}


async def test_gateway_is_ready_when_its_own_events_have_come_back_from_every_topic(
    issuer: TokenIssuer,
) -> None:
    """Before that, events between a client's first request and the gateway's subscription would be lost."""
    bus = MemoryPublisher()
    settings = Settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        app_api_token=APP_API_TOKEN,
        dapr_api_token=DAPR_API_TOKEN,
        log_level="error",
    )
    app = create_app(settings, publisher=bus)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        await wait_until(lambda: len({(event.topic, event.key) for event in bus.published}) == 2 * KEYS)
        first = list(bus.published)[: 2 * KEYS]
        assert {event.topic for event in first} == {"task-events", "notifications"}
        back = MemoryPublisher(app)
        for event in first[1:]:
            await back.publish(
                event.topic,
                event.data,
                event_id=event.event_id,
                event_type=event.event_type,
                key=event.key,
            )
        unready = await client.get("/readyz")
        assert (unready.status_code, unready.json()["checks"]) == (503, {"bus": "failed"})
        await back.publish(
            first[0].topic, first[0].data, event_id="x", event_type=first[0].event_type, key=first[0].key
        )
        await wait_until_ready(client)


@pytest.mark.parametrize("limits", [Limits(heartbeat_seconds=0.02)])
async def test_idle_stream_carries_heartbeats(gateway: Gateway) -> None:
    """Comments keep proxies from closing an idle stream."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        assert [await reader.block() for _ in range(2)] == [[": heartbeat"]] * 2


@pytest.mark.parametrize("limits", [Limits(heartbeat_seconds=0.02)])
async def test_stream_ends_when_its_token_expires(gateway: Gateway, wall_clock: WallClock) -> None:
    """A stream ends with the validity of its token, and its response is complete."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        wall_clock.ahead = timedelta(hours=1)
        await reader.ends()
    assert await gateway.metric('sse_streams_ended_total{reason="token-expired"}') > 0


@pytest.mark.parametrize("limits", [Limits(queue_events=8, heartbeat_seconds=60)])
async def test_reader_that_reads_nothing_is_cut_off_and_delays_nobody(gateway: Gateway) -> None:
    """The stream of a stalled client ends; another tab of the same user gets every event."""
    ended = 'sse_streams_ended_total{reason="reader-too-slow"}'
    before = await gateway.metric(ended)
    token = gateway.issuer.token("ann")
    url = httpx2.URL(gateway.url)
    request = f"GET /sse/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    async with gateway.stream("ann") as reader:
        await reader.event()
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.connect((url.host, url.port))
            stalled.sendall(request.encode())
            number = 0
            while await gateway.metric(ended) == before:
                number += 1
                await gateway.change_task("ann", f"e-{number}", padding="x" * 200_000)
                assert (await reader.event()).mark == f"e-{number}"
    assert number > 8


async def test_stream_of_a_disconnected_client_is_closed(gateway: Gateway) -> None:
    """The stream of a closed tab is not counted any more."""
    before = await gateway.metric("sse_connections")
    async with gateway.stream("ann") as reader:
        await reader.event()
        assert await gateway.metric("sse_connections") == before + 1
    async with asyncio.timeout(5):
        while await gateway.metric("sse_connections") != before:
            pass


async def test_client_of_a_draining_gateway_gets_a_reconnect_delay(gateway: Gateway) -> None:
    """A stopping gateway sends `bye` with a delay in range, and completes the response."""
    async with gateway.stream("ann") as reader:
        await reader.event()
        gateway.app.state.drain.start()
        bye = await reader.event()
        assert bye.name == "bye"
        assert 500 <= int(bye.retry or 0) <= 5000
        await reader.ends()


async def test_delivery_is_measured(gateway: Gateway) -> None:
    """The metrics count deliveries and their delay."""
    delivered = 'sse_events_delivered_total{event="sync.task-changed"}'
    lag = 'sse_event_lag_seconds_count{event="sync.task-changed"}'
    before = [await gateway.metric(name) for name in (delivered, lag)]
    async with gateway.stream("ann") as first, gateway.stream("ann") as second:
        await first.event()
        await second.event()
        await gateway.change_task("ann", "e-1")
    after = [await gateway.metric(name) for name in (delivered, lag)]
    assert [late - early for early, late in zip(before, after, strict=True)] == [2, 1]


async def test_probe_reports_draining(gateway: Gateway) -> None:
    """Health is served beside the stream, and a draining replica is not ready."""
    async with httpx2.AsyncClient(base_url=gateway.url) as client:
        assert (await client.get("/healthz")).json()["service"] == "sse-gateway"
        gateway.app.state.drain.start()
        assert (await client.get("/readyz")).json()["status"] == "draining"


async def test_subscriptions_are_those_of_the_environment(gateway: Gateway) -> None:
    """daprd reads both topics of the broadcast component."""
    async with httpx2.AsyncClient(base_url=gateway.url) as client:
        token = {HEADER: APP_API_TOKEN.get_secret_value()}
        entries = (await client.get("/dapr/subscribe", headers=token)).json()
    assert {(entry["pubsubname"], entry["topic"]) for entry in entries} == {
        ("pubsub-broadcast", "task-events"),
        ("pubsub-broadcast", "notifications"),
    }
