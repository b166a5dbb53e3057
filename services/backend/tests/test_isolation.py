"""Broken object level authorisation (OWASP API1:2023): no user can access another user's tasks."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from todo_backend.tasks.routes import router

TITLE = {"title": "Taken over"}
BODIES: dict[str, dict[str, Any]] = {"replace_task": TITLE, "update_task": TITLE}
ROUTES_OF_A_TASK = [
    (route.name, method, route.path)
    for route in router.routes
    if isinstance(route, APIRoute) and "{task_id}" in route.path
    for method in sorted(route.methods)
]
EVERY_ROUTE = [
    (method, route.path)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


@pytest.fixture
async def owned(alice: httpx2.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    """Creates a task of alice, and checks afterwards that it has not changed."""
    created = (await alice.post("/api/todos", json={"title": "Alice's"})).json()
    yield created
    assert (await alice.get(f"/api/todos/{created['id']}")).json() == created


def test_matrix_of_routes_is_complete() -> None:
    """The parameters of the next test come from the router, and they must not be empty by accident."""
    assert [name for name, _, _ in ROUTES_OF_A_TASK] == [
        "get_task",
        "replace_task",
        "update_task",
        "delete_task",
        "toggle_task",
    ]


@pytest.mark.parametrize(("name", "method", "path"), ROUTES_OF_A_TASK)
async def test_another_users_task_is_not_found(
    bob: httpx2.AsyncClient, owned: dict[str, Any], name: str, method: str, path: str
) -> None:
    """Each route of a task answers 404, as if the task did not exist, and changes nothing."""
    response = await bob.request(method, path.format(task_id=owned["id"]), json=BODIES.get(name))
    assert (response.status_code, response.json()["type"]) == (404, "urn:todo:problem:task-not-found")
    assert "Alice" not in response.text


async def test_list_has_only_own_tasks(bob: httpx2.AsyncClient, owned: dict[str, Any]) -> None:
    """A user without tasks sees none, whatever tasks other users have."""
    assert (await bob.get("/api/todos")).json() == {"items": [], "next_cursor": None}


async def test_cursor_of_another_user_is_refused(
    alice: httpx2.AsyncClient, bob: httpx2.AsyncClient, owned: dict[str, Any]
) -> None:
    """A cursor contains the id and the times of a task, and no other user can use it."""
    await alice.post("/api/todos", json={"title": "Second"})
    cursor = (await alice.get("/api/todos", params={"limit": 1})).json()["next_cursor"]
    assert (await bob.get("/api/todos", params={"cursor": cursor})).status_code == 422
    assert (await alice.get("/api/todos", params={"cursor": cursor})).json()["items"] == [owned]


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
async def test_no_route_answers_without_a_token(app: FastAPI, method: str, path: str) -> None:
    """A request without a token is answered with 401 before its body is checked."""
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://backend.test") as visitor:
        response = await visitor.request(method, path.format(task_id="6f8f6b0e-0000-4000-8000-000000000000"))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
