"""Create, read, change and delete tasks over HTTP, on a real database."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

TASK = {
    "title": "Write the report",
    "description": "With figures",
    "priority": "high",
    "due_date": "2026-12-24T18:00:00+02:00",
}
DEFAULTS = {"description": "", "completed": False, "priority": "medium", "tags": [], "due_date": None}


async def create(client: httpx2.AsyncClient, **members: Any) -> dict[str, Any]:
    """Creates a task and returns it."""
    response = await client.post("/api/todos", json={"title": "A task"} | members)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


async def test_create_returns_the_stored_task_and_where_it_is(alice: httpx2.AsyncClient) -> None:
    """A created task has an id, is pending and can be read at its Location; times are UTC."""
    response = await alice.post("/api/todos", json=TASK)
    created = response.json()
    assert response.status_code == 201
    assert created | TASK | {"completed": False, "due_date": "2026-12-24T16:00:00Z"} == created
    assert created["created_at"] == created["updated_at"]
    assert (await alice.get(response.headers["Location"])).json() == created


async def test_create_with_a_title_only_fills_in_defaults(alice: httpx2.AsyncClient) -> None:
    """A title is enough; it is stored without surrounding whitespace."""
    created = await create(alice, title="  Buy milk ")
    assert created | DEFAULTS | {"title": "Buy milk"} == created


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"title": ""}, "/title"),
        ({"title": "   "}, "/title"),
        ({"title": "x" * 256}, "/title"),
        ({"title": "a\x00b"}, "/title"),
        ({"title": None}, "/title"),
        ({"description": "x" * 2001}, "/description"),
        ({"priority": "urgent"}, "/priority"),
        ({"completed": "yes"}, "/completed"),
        ({"due_date": "tomorrow"}, "/due_date"),
        ({"due_date": "2026-12-24T18:00:00"}, "/due_date"),
        ({"due_date": 0}, "/due_date"),
        ({"due_date": "0001-01-01T00:00:00+23:59"}, "/due_date"),
        ({"due_date": "9999-12-31T23:59:59-23:59"}, "/due_date"),
        ({"user_id": "bob"}, "/user_id"),
    ],
)
async def test_refused_member_is_named_without_its_value(
    alice: httpx2.AsyncClient, members: dict[str, Any], pointer: str
) -> None:
    """A refused value is answered with 422 and a pointer to the member, and is not repeated."""
    response = await alice.post("/api/todos", json={"title": "secret plan"} | members)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert "secret plan" not in response.text
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


async def test_body_with_a_lone_surrogate_is_refused(alice: httpx2.AsyncClient) -> None:
    """JSON can contain a lone surrogate and UTF-8 cannot: the answer is 422 and not 500."""
    response = await alice.post(
        "/api/todos", content=b'{"title": "\\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422


async def test_longest_allowed_texts_are_stored_completely(alice: httpx2.AsyncClient) -> None:
    """The limits count characters and not bytes."""
    created = await create(alice, title="é" * 255, description="漢" * 2000)
    assert (len(created["title"]), len(created["description"])) == (255, 2000)


async def test_put_replaces_every_field(alice: httpx2.AsyncClient) -> None:
    """A member that a PUT leaves out is set to its default."""
    created = await create(alice, **TASK)
    replaced = (await alice.put(f"/api/todos/{created['id']}", json={"title": "New"})).json()
    assert replaced | DEFAULTS | {"title": "New"} == replaced
    assert replaced["created_at"] == created["created_at"]
    assert replaced["updated_at"] > created["updated_at"]


async def test_patch_changes_only_what_is_sent(alice: httpx2.AsyncClient) -> None:
    """A member that is left out stays; a due date of null is removed."""
    created = await create(alice, **TASK)
    patched = (await alice.patch(f"/api/todos/{created['id']}", json={"due_date": None})).json()
    assert patched["due_date"] is None
    kept = {name: created[name] for name in ("due_date", "updated_at", "version")}
    assert patched | kept == created


@pytest.mark.parametrize("name", ["title", "description", "completed", "priority"])
async def test_patch_refuses_null_for_what_every_task_has(alice: httpx2.AsyncClient, name: str) -> None:
    """Only the due date may be absent from a task."""
    created = await create(alice)
    assert (await alice.patch(f"/api/todos/{created['id']}", json={name: None})).status_code == 422


async def test_change_without_effect_leaves_the_task_as_it_was(alice: httpx2.AsyncClient) -> None:
    """Saving a form without edits does not change `updated_at`."""
    created = await create(alice)
    assert (await alice.patch(f"/api/todos/{created['id']}", json={"title": "A task"})).json() == created
    assert (await alice.patch(f"/api/todos/{created['id']}", json={})).json() == created


async def test_toggle_completes_and_reopens(alice: httpx2.AsyncClient) -> None:
    """The first toggle completes the task, and the second one reopens it."""
    path = f"/api/todos/{(await create(alice))['id']}/complete"
    assert [(await alice.patch(path)).json()["completed"] for _ in range(2)] == [True, False]


async def test_deleted_task_is_gone(alice: httpx2.AsyncClient) -> None:
    """Deleting answers 204 without a body, and 404 the second time."""
    path = f"/api/todos/{(await create(alice))['id']}"
    first, second = await alice.delete(path), await alice.delete(path)
    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, second.json()["type"]) == (404, "urn:todo:problem:task-not-found")
    assert (await alice.get(path)).status_code == 404


async def test_created_at_is_now(alice: httpx2.AsyncClient) -> None:
    """Times come from the service's clock, in UTC."""
    before = datetime.now(UTC)
    created = await create(alice)
    assert before <= datetime.fromisoformat(created["created_at"]) <= datetime.now(UTC)
