"""Versions of a task: each change raises it, and a change may require one."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from todo_kit.testing import MemoryPublisher, wait_until

Change = Callable[[httpx2.AsyncClient, str, dict[str, str]], Awaitable[httpx2.Response]]

CHANGES: dict[str, Change] = {
    "PUT": lambda client, path, headers: client.put(path, json={"title": "replaced"}, headers=headers),
    "PATCH": lambda client, path, headers: client.patch(path, json={"title": "patched"}, headers=headers),
    "complete": lambda client, path, headers: client.patch(f"{path}/complete", headers=headers),
    "DELETE": lambda client, path, headers: client.delete(path, headers=headers),
}


@pytest.fixture
async def path(alice: httpx2.AsyncClient) -> str:
    """Returns the path of a new task of alice."""
    response = await alice.post("/api/todos", json={"title": "A task"})
    assert response.headers["ETag"] == '"1"'
    return response.headers["Location"]


async def test_each_change_raises_the_version_and_a_change_of_nothing_does_not(
    alice: httpx2.AsyncClient, path: str
) -> None:
    """The version counts changes; sending what is already there is none."""
    versions = []
    for title in ("first", "second", "second"):
        response = await alice.patch(path, json={"title": title})
        versions.append((response.json()["version"], response.headers["ETag"]))
    assert versions == [(2, '"2"'), (3, '"3"'), (3, '"3"')]
    assert (await alice.get(path)).headers["ETag"] == '"3"'


async def test_concurrent_changes_get_different_versions(alice: httpx2.AsyncClient, path: str) -> None:
    """Of two changes one is newer, however close they are."""
    answers = await asyncio.gather(*(alice.patch(path, json={"title": f"title {n}"}) for n in range(8)))
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 10))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_change_of_a_version_that_is_not_current_is_refused_and_changes_nothing(
    alice: httpx2.AsyncClient, path: str, change: Change
) -> None:
    """The answer is 412 with the current version, so that the caller can show the difference."""
    await alice.patch(path, json={"title": "by another device"})
    before = (await alice.get(path)).json()
    refused = await change(alice, path, {"If-Match": '"1"'})
    assert (refused.status_code, refused.headers["ETag"]) == (412, '"2"')
    assert refused.json()["type"] == "urn:todo:problem:task-changed"
    assert (await alice.get(path)).json() == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("header", ['"1"', '"7", "1"', "*"])
async def test_change_of_the_current_version_is_done(
    alice: httpx2.AsyncClient, path: str, change: Change, header: str
) -> None:
    """`If-Match` may name several versions, or accept any."""
    assert (await change(alice, path, {"If-Match": header})).status_code in {200, 204}


@pytest.mark.parametrize("header", ['W/"1"', "1", "", '"'])
async def test_weak_or_malformed_tag_matches_nothing(
    alice: httpx2.AsyncClient, path: str, header: str
) -> None:
    """A change must not be done because its condition could not be read."""
    refused = await alice.patch(path, json={"title": "x"}, headers={"If-Match": header})
    assert refused.status_code == 412


async def test_another_users_task_is_missing_and_not_a_conflict(
    alice: httpx2.AsyncClient, bob: httpx2.AsyncClient, path: str
) -> None:
    """A precondition discloses nothing about tasks of others."""
    assert (await bob.delete(path, headers={"If-Match": '"9"'})).status_code == 404


async def test_events_carry_the_version_and_a_deletion_is_the_newest(
    alice: httpx2.AsyncClient, path: str, publisher: MemoryPublisher, app: FastAPI
) -> None:
    """A client decides by the version which of two events of a task is newer, also of a deletion."""
    await alice.patch(path, json={"title": "changed"})
    await alice.delete(path)
    await wait_until(lambda: len(publisher.published) == 3)
    payloads = [orjson.loads(event.data) for event in publisher.published]
    assert [payload["version"] for payload in payloads] == [1, 2, 3]
    assert [payload["sequence"] for payload in payloads] == [1, 2, 3]
    assert payloads[1]["task"]["version"] == 2
