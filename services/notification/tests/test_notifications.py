"""The notification centre over HTTP."""

from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from .conftest import PATH, Bus


async def told(bus: Bus, user_id: str, count: int) -> None:
    """Have the user told `count` things, titled 0, 1, ... in this order."""
    for number in range(count):
        await bus.task_completed(user_id, title=str(number))


def titles(page: dict[str, list[dict[str, str]]]) -> list[str]:
    """Return the task titles of a page."""
    return [item["title"].removeprefix("Completed “").removesuffix("”") for item in page["items"]]


async def test_list_is_newest_first_and_pages_to_its_end(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """Following the cursor shows every notification once."""
    await told(bus, "alice", 5)
    pages = [(await alice.get(PATH, params={"limit": 2})).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append((await alice.get(PATH, params={"limit": 2, "cursor": cursor})).json())
    assert [titles(page) for page in pages] == [["4", "3"], ["2", "1"], ["0"]]


async def test_unread_only_goes_on_after_a_notification_that_was_read_meanwhile(
    bus: Bus, alice: httpx2.AsyncClient
) -> None:
    """Reading what is shown does not break the way to the next page."""
    await told(bus, "alice", 3)
    unread = {"unread_only": "true", "limit": "1"}
    first = (await alice.get(PATH, params=unread)).json()
    await alice.patch(f"{PATH}/{first['items'][0]['id']}/read")
    second = (await alice.get(PATH, params=unread | {"cursor": first["next_cursor"]})).json()
    assert titles(second) == ["1"]
    assert titles((await alice.get(PATH, params={"unread_only": "true"})).json()) == ["1", "0"]


async def test_marking_one_read_twice_is_marking_it_once(bus: Bus, alice: httpx2.AsyncClient) -> None:
    """The count goes down by one however often the button is pressed."""
    await told(bus, "alice", 2)
    newest = (await alice.get(PATH)).json()["items"][0]
    answers = [await alice.patch(f"{PATH}/{newest['id']}/read") for _ in range(2)]
    assert [answer.json() for answer in answers] == [newest | {"is_read": True}] * 2
    assert (await alice.get(f"{PATH}/unread-count")).json() == {"count": 1}


async def test_marking_all_read_leaves_other_users_alone(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """All means all of the caller's."""
    await told(bus, "alice", 2)
    await told(bus, "bob", 1)
    assert (await alice.post(f"{PATH}/read-all")).status_code == 204
    assert (await alice.get(f"{PATH}/unread-count")).json() == {"count": 0}
    assert (await bob.get(f"{PATH}/unread-count")).json() == {"count": 1}


async def test_notification_of_another_user_does_not_exist(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """404 for another's notification, the same as for one that never was; it stays unread."""
    await told(bus, "alice", 1)
    notification_id = (await alice.get(PATH)).json()["items"][0]["id"]
    problems = [await bob.patch(f"{PATH}/{some_id}/read") for some_id in (notification_id, uuid4())]
    assert [problem.status_code for problem in problems] == [404, 404]
    assert problems[0].headers["content-type"] == "application/problem+json"
    assert (await alice.get(f"{PATH}/unread-count")).json() == {"count": 1}


async def test_cursor_of_another_user_is_refused(
    bus: Bus, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """A cursor names a notification of the caller, or nothing."""
    await told(bus, "alice", 2)
    cursor = (await alice.get(PATH, params={"limit": 1})).json()["next_cursor"]
    response = await bob.get(PATH, params={"cursor": cursor})
    assert (response.status_code, response.json()["title"]) == (422, "Invalid cursor")


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "101"}, {"cursor": "here"}])
async def test_parameter_out_of_range_is_refused(alice: httpx2.AsyncClient, params: dict[str, str]) -> None:
    """Nobody can ask for the whole table."""
    response = await alice.get(PATH, params=params)
    assert (response.status_code, response.json()["title"]) == (422, "Validation failed")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/unread-count"), ("POST", "/read-all"), ("PATCH", f"/{uuid4()}/read")],
)
async def test_every_route_needs_a_token(app: FastAPI, method: str, path: str) -> None:
    """Without a token nothing is answered and nothing is done."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://n.test") as client:
        response = await client.request(method, PATH + path)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
