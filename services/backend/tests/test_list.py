"""Lists: filters, orders and pages, on a real database."""

import itertools
from typing import Any

import httpx2
import pytest

ORDERS = list(itertools.product(["created_at", "due_date", "priority"], ["asc", "desc"]))


@pytest.fixture
async def tasks(alice: httpx2.AsyncClient, bob: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """Creates eleven tasks of alice, some with equal or absent sort values, and one task of bob."""
    created = []
    for number in range(11):
        body = {
            "title": f"Task {number}",
            "priority": ["low", "medium", "high"][number % 3],
            "due_date": None if number % 4 == 0 else f"2027-01-{1 + number % 3:02d}T00:00:00Z",
            "completed": number % 5 == 0,
        }
        created.append((await alice.post("/api/todos", json=body)).json())
    await bob.post("/api/todos", json={"title": "Bob's"})
    return created


async def fetch(client: httpx2.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    """Returns all items of a list by following its cursors."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(50):
        response = await client.get("/api/todos", params=params | cursor)
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the list has more than 50 pages")


def expected_order(tasks: list[dict[str, Any]], sort_by: str, sort_dir: str) -> list[str]:
    """Returns the ids in the order of the contract, computed without SQL."""
    is_descending = sort_dir == "desc"
    ranks = {"low": 0, "medium": 1, "high": 2}
    firsts = {
        "created_at": lambda task: "",
        "due_date": lambda task: task["due_date"] or "",
        "priority": lambda task: ranks[task["priority"]],
    }
    in_order = sorted(
        tasks, key=lambda task: (firsts[sort_by](task), task["created_at"]), reverse=is_descending
    )
    if sort_by == "due_date":  # a stable sort: undated tasks last, in either direction
        in_order.sort(key=lambda task: task["due_date"] is None)
    return [task["id"] for task in in_order]


async def test_list_is_newest_first_and_renders_tasks_as_other_routes_do(
    alice: httpx2.AsyncClient, tasks: list[dict[str, Any]]
) -> None:
    """The fast path of lists gives the same JSON for a task as all other answers."""
    assert await fetch(alice) == tasks[::-1]


@pytest.mark.parametrize(("sort_by", "sort_dir"), ORDERS)
@pytest.mark.parametrize("limit", [1, 3, 11, 100])
async def test_pages_of_any_size_give_each_task_once_in_order(
    alice: httpx2.AsyncClient, tasks: list[dict[str, Any]], sort_by: str, sort_dir: str, limit: int
) -> None:
    """Cursors skip and repeat no task, also where sort values are equal or absent."""
    items = await fetch(alice, sort_by=sort_by, sort_dir=sort_dir, limit=limit)
    assert [item["id"] for item in items] == expected_order(tasks, sort_by, sort_dir)


async def test_filters_combine(alice: httpx2.AsyncClient, tasks: list[dict[str, Any]]) -> None:
    """With both filters, a task must have the status and the priority."""
    items = await fetch(alice, status="pending", priority="low", limit=1)
    wanted = [task["id"] for task in tasks if not task["completed"] and task["priority"] == "low"]
    assert [item["id"] for item in items] == wanted[::-1]
    assert len(wanted) == 3


async def test_task_created_while_paging_shifts_no_page(
    alice: httpx2.AsyncClient, tasks: list[dict[str, Any]]
) -> None:
    """A task that is added on top does not shift the pages that follow."""
    first = (await alice.get("/api/todos", params={"limit": 5})).json()
    await alice.post("/api/todos", json={"title": "Added meanwhile"})
    rest = await alice.get("/api/todos", params={"limit": 100, "cursor": first["next_cursor"]})
    assert [item["id"] for item in first["items"] + rest.json()["items"]] == [
        task["id"] for task in reversed(tasks)
    ]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"status": "done"},
        {"priority": "urgent"},
        {"sort_by": "title"},
        {"sort_dir": ""},
    ],
)
async def test_parameter_out_of_range_is_refused(alice: httpx2.AsyncClient, params: dict[str, Any]) -> None:
    """A parameter that is not allowed is refused and not corrected."""
    response = await alice.get("/api/todos", params=params)
    assert response.status_code == 422
    assert [error["location"] for error in response.json()["errors"]] == ["query"]


async def test_cursor_with_any_changed_character_is_refused(
    alice: httpx2.AsyncClient, tasks: list[dict[str, Any]]
) -> None:
    """A cursor that was changed or cut is refused."""
    cursor = (await alice.get("/api/todos", params={"limit": 1})).json()["next_cursor"]
    changed = [
        cursor[:at] + ("B" if character == "A" else "A") + cursor[at + 1 :]
        for at, character in enumerate(cursor)
    ]
    for bad in [*changed, cursor[:-1], cursor + "A", cursor + "!", "", "é", "AAAA"]:
        response = await alice.get("/api/todos", params={"cursor": bad})
        assert (response.status_code, response.json()["type"]) == (422, "urn:todo:problem:invalid-cursor"), (
            bad
        )


@pytest.mark.parametrize("other", [{"sort_by": "priority"}, {"sort_dir": "asc"}, {"status": "pending"}])
async def test_cursor_of_another_list_is_refused(
    alice: httpx2.AsyncClient, tasks: list[dict[str, Any]], other: dict[str, str]
) -> None:
    """A cursor is valid only for the list that returned it."""
    cursor = (await alice.get("/api/todos", params={"limit": 1})).json()["next_cursor"]
    response = await alice.get("/api/todos", params={"cursor": cursor} | other)
    assert response.status_code == 422


async def test_cursor_may_go_on_with_another_page_size(
    alice: httpx2.AsyncClient, tasks: list[dict[str, Any]]
) -> None:
    """The page size may change between two pages."""
    cursor = (await alice.get("/api/todos", params={"limit": 1})).json()["next_cursor"]
    response = await alice.get("/api/todos", params={"cursor": cursor, "limit": 100})
    assert len(response.json()["items"]) == len(tasks) - 1
