"""Search, tags and the other filters of lists, on a real database."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from todo_backend.tasks.service import TaskService


async def create(client: httpx2.AsyncClient, **members: Any) -> dict[str, Any]:
    """Creates a task and returns it."""
    response = await client.post("/api/todos", json={"title": "A task"} | members)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


async def titles(client: httpx2.AsyncClient, **params: Any) -> list[str]:
    """Returns the titles of a list."""
    response = await client.get("/api/todos", params=params)
    assert response.status_code == 200, response.text
    return [item["title"] for item in response.json()["items"]]


@pytest.mark.parametrize(
    ("title", "search"),
    [
        ("Running shoes", "runn"),
        ("Running shoes", "SHOES"),
        ("Ärger mit der Äußerung", "äuß"),
        ("Cafe\u0301 au lait", "CAFÉ"),
        ("Купить молоко", "МОЛ"),
        ("买牛奶", "牛"),
        ("할 일", "일"),
        ("شراء الحليب", "حليب"),
        ("100% of a_b \\ c", "0% of a_b \\"),
        ("🎂 for Ana", "🎂"),
    ],
)
async def test_search_finds_parts_of_words_in_every_language(
    alice: httpx2.AsyncClient, title: str, search: str
) -> None:
    """Upper and lower case are the same, and both forms of an accented letter; one character is enough."""
    await create(alice, title="Something else, 1000 ab")
    created = await create(alice, title=title)
    described = await create(alice, title="Described", description=f"Details:\n{title}")
    assert await titles(alice, search=search) == [described["title"], created["title"]]


@pytest.mark.parametrize("search", ["%", "_", "\\", "/", "a_c", "a%c"])
async def test_search_takes_no_wildcards(alice: httpx2.AsyncClient, search: str) -> None:
    """What a pattern of SQL would match is found only if it is there."""
    await create(alice, title="abc")
    assert await titles(alice, search=search) == []
    await create(alice, title=f"x{search}y")
    assert await titles(alice, search=search) == [f"x{search}y"]


async def test_empty_search_is_no_search(alice: httpx2.AsyncClient) -> None:
    """A search field that holds nothing, or blanks, shows everything."""
    await create(alice)
    assert [await titles(alice, search=search) for search in ("", "  ")] == [["A task"], ["A task"]]


async def test_search_stays_inside_the_tasks_of_the_caller(
    alice: httpx2.AsyncClient, bob: httpx2.AsyncClient
) -> None:
    """Neither search nor tags show what another user has."""
    await create(bob, title="Secret", tags=["secret"])
    assert await titles(alice, search="secret") == []
    assert await titles(alice, tag="secret") == []
    assert (await alice.get("/api/todos/tags")).json() == {"items": []}


async def test_all_filters_combine_with_and(alice: httpx2.AsyncClient) -> None:
    """A task must fulfil each of them."""
    wanted: dict[str, Any] = {"title": "Buy milk", "priority": "high", "tags": ["home"], "completed": True}
    await create(alice, **wanted)
    for change in ({"title": "Sell"}, {"priority": "low"}, {"tags": ["work"]}, {"completed": False}):
        await create(alice, **wanted | change)
    params = {"search": "milk", "priority": "high", "tag": "Home", "status": "completed"}
    assert await titles(alice, **params) == ["Buy milk"]


@pytest.mark.parametrize("sort_by", ["created_at", "due_date", "priority"])
async def test_search_pages_by_cursor(alice: httpx2.AsyncClient, sort_by: str) -> None:
    """Each task that is found is returned once, whatever the order is."""
    for number in range(5):
        due_date = f"2027-01-0{number + 1}T00:00:00Z" if number % 2 else None
        await create(alice, title=f"Milk {number}", due_date=due_date)
        await create(alice, title=f"Bread {number}")
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"search": "milk", "sort_by": sort_by, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await alice.get("/api/todos", params=params)).json()
        found += [item["title"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(found) == [f"Milk {number}" for number in range(5)]


@pytest.mark.parametrize("params", [{"search": "x" * 201}, {"search": "\x00"}, {"tag": ""}, {"tag": "a\tb"}])
async def test_filter_that_no_task_can_fulfil_is_refused(
    alice: httpx2.AsyncClient, params: dict[str, str]
) -> None:
    """What cannot be stored cannot be searched for either."""
    assert (await alice.get("/api/todos", params=params)).status_code == 422


async def test_tags_are_stored_in_one_form(alice: httpx2.AsyncClient) -> None:
    """In lower case and NFC, without surrounding whitespace, each once, in the order in which they came."""
    created = await create(alice, tags=["Home", " ÉCOLE ", "home", "e\u0301cole", "買い物"])
    assert created["tags"] == ["home", "école", "買い物"]
    changed = await alice.patch(f"/api/todos/{created['id']}", json={"tags": []})
    assert changed.json()["tags"] == []


@pytest.mark.parametrize(
    ("tags", "pointer"),
    [
        ([f"tag {number}" for number in range(11)], "/tags"),
        (["x" * 51], "/tags/0"),
        (["fine", ""], "/tags/1"),
        (["fine", "\u200b"], "/tags/1"),
        (["İ" * 50], "/tags/0"),
        ("home", "/tags"),
        (None, "/tags"),
    ],
)
async def test_refused_tag_is_named(alice: httpx2.AsyncClient, tags: Any, pointer: str) -> None:
    """The pointer leads to the tag."""
    response = await alice.post("/api/todos", json={"title": "A", "tags": tags})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_tags_are_completed_with_those_of_most_tasks_first(alice: httpx2.AsyncClient) -> None:
    """A prefix is taken as it is, in upper or lower case."""
    for tags in (["work", "walk"], ["work", "w%"], ["work", "walk", "home"]):
        await create(alice, tags=tags)

    async def complete(**params: Any) -> list[str]:
        items: list[str] = (await alice.get("/api/todos/tags", params=params)).json()["items"]
        return items

    assert await complete() == ["work", "walk", "home", "w%"]
    assert await complete(prefix="WA") == ["walk"]
    assert await complete(prefix="w%") == ["w%"]
    assert await complete(prefix="w", limit=1) == ["work"]


async def test_user_cannot_have_more_tasks_than_the_limit(
    app: FastAPI, alice: httpx2.AsyncClient, bob: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says what to do; deleting a task makes room, and other users are not concerned."""
    service: TaskService = app.state.tasks
    monkeypatch.setattr(service, "_max_tasks", 2)
    first = await create(alice)
    await create(alice)
    refused = await alice.post("/api/todos", json={"title": "One more"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:todo:problem:task-limit")
    await create(bob)
    await alice.delete(f"/api/todos/{first['id']}")
    await create(alice)
