"""Lists of notifications over HTTP, and marking them as read."""

from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from .conftest import PATH, Bus


async def notify(bus: Bus, user_id: str, count: int) -> None:
    """Gives the user `count` notifications, titled 0, 1, ... in this order."""
    for number in range(count):
        await bus.task_completed(user_id, title=str(number))


def titles(page: dict[str, list[dict[str, str]]]) -> list[str]:
    """Returns the task titles of a page."""
    return [item["title"].removeprefix("Completed “").removesuffix("”") for item in page["items"]]


async def test_list_is_newest_first_and_pages_to_its_end(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """The pages show every notification once."""
    await notify(bus, "alice", 5)
    pages = [(await alice.get(PATH, params={"limit": 2})).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append((await alice.get(PATH, params={"limit": 2, "cursor": cursor})).json())
    assert [titles(page) for page in pages] == [["4", "3"], ["2", "1"], ["0"]]


async def test_next_unread_page_follows_a_notification_that_was_read_meanwhile(
    bus: Bus, alice: httpx2.AsyncClient
) -> None:
    """Marking a shown notification as read does not change the next page."""
    await notify(bus, "alice", 3)
    unread = {"unread_only": "true", "limit": "1"}
    first = (await alice.get(PATH, params=unread)).json()
    await alice.patch(f"{PATH}/{first['items'][0]['id']}/read")
    second = (await alice.get(PATH, params=unread | {"cursor": first["next_cursor"]})).json()
    assert titles(second) == ["1"]
    assert titles((await alice.get(PATH, params={"unread_only": "true"})).json()) == ["1", "0"]


async def test_marking_a_notification_read_twice_counts_once(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """The unread count decreases by one, however often a notification is marked as read."""
    await notify(bus, "alice", 2)
    newest = (await alice.get(PATH)).json()["items"][0]
    answers = [await alice.patch(f"{PATH}/{newest['id']}/read") for _ in range(2)]
    assert [answer.json() for answer in answers] == [newest | {"is_read": True}] * 2
    assert (await alice.get(f"{PATH}/unread-count")).json() == {"count": 1}


async def test_marking_all_read_leaves_other_users_alone(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """Marking all as read applies to the caller's notifications only."""
    await notify(bus, "alice", 2)
    await notify(bus, "bob", 1)
    assert (await alice.post(f"{PATH}/read-all")).status_code == 204
    assert (await alice.get(f"{PATH}/unread-count")).json() == {"count": 0}
    assert (await bob.get(f"{PATH}/unread-count")).json() == {"count": 1}


async def test_notification_of_another_user_does_not_exist(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """The notification of another user is answered like one that does not exist, and stays unread."""
    await notify(bus, "alice", 1)
    notification_id = (await alice.get(PATH)).json()["items"][0]["id"]
    problems = [await bob.patch(f"{PATH}/{some_id}/read") for some_id in (notification_id, uuid4())]
    assert [problem.status_code for problem in problems] == [404, 404]
    assert problems[0].headers["content-type"] == "application/problem+json"
    assert (await alice.get(f"{PATH}/unread-count")).json() == {"count": 1}


async def test_cursor_of_another_user_is_refused(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """A cursor is valid only for the user that it was returned to."""
    await notify(bus, "alice", 2)
    cursor = (await alice.get(PATH, params={"limit": 1})).json()["next_cursor"]
    response = await bob.get(PATH, params={"cursor": cursor})
    assert (response.status_code, response.json()["title"]) == (422, "Invalid cursor")


@pytest.mark.parametrize("cursor", ["here", "", str(uuid4())])
async def test_cursor_that_the_list_did_not_return_is_refused(
    bus: Bus, alice: httpx2.AsyncClient, cursor: str
) -> None:
    """An invented cursor is answered with 422, and so is the cursor of a list with another filter."""
    await notify(bus, "alice", 2)
    unread = (await alice.get(PATH, params={"limit": 1, "unread_only": "true"})).json()["next_cursor"]
    responses = [await alice.get(PATH, params={"cursor": refused}) for refused in (cursor, unread)]
    assert [(response.status_code, response.json()["title"]) for response in responses] == [
        (422, "Invalid cursor")
    ] * 2


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "101"}, {"cursor": "x" * 501}])
async def test_parameter_out_of_range_is_refused(alice: httpx2.AsyncClient, params: dict[str, str]) -> None:
    """Limits and the length of a cursor are checked."""
    response = await alice.get(PATH, params=params)
    assert (response.status_code, response.json()["title"]) == (422, "Validation failed")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/unread-count"), ("POST", "/read-all"), ("PATCH", f"/{uuid4()}/read")],
)
async def test_every_route_needs_a_token(app: FastAPI, method: str, path: str) -> None:
    """A request without a token is answered with 401."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://n.test") as client:
        response = await client.request(method, PATH + path)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
