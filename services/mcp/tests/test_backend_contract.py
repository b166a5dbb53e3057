"""The contract between tools and backend, which the double and the real backend both keep."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from todo_backend.app import create_app
from todo_backend.database import SCHEMA
from todo_backend.settings import Settings
from todo_embedded.postgres import postgres_server
from todo_kit.data.migrations import run_migrations
from todo_kit.testing import APP_API_TOKEN, DAPR_API_TOKEN, MemoryPublisher, TokenIssuer
from todo_mcp.backend import Backend
from todo_mcp.errors import BackendRefusedError, TaskChangedError

from .backend_double import BackendDouble


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """Returns the URL of a migrated database."""
    with postgres_server() as server:
        run_migrations("todo_backend", SCHEMA, server.url)
        yield server.url


@pytest.fixture
async def real_app(issuer: TokenIssuer, database_url: str) -> AsyncIterator[FastAPI]:
    """Runs the real backend."""
    settings = Settings(
        jwt_issuer=issuer.issuer,
        jwks_url=issuer.jwks_url,
        database_url=SecretStr(database_url),
        app_api_token=APP_API_TOKEN,
        dapr_api_token=DAPR_API_TOKEN,
    )
    app = create_app(settings, publisher=MemoryPublisher())
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(params=["in memory", "real"])
async def backend(
    request: pytest.FixtureRequest, double: BackendDouble, real_app: FastAPI
) -> AsyncIterator[Backend]:
    """Returns each of the two backends in turn."""
    app = {"in memory": double.app, "real": real_app}[request.param]
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://backend.test"
    ) as client:
        yield Backend(client)


@pytest.fixture
def token(issuer: TokenIssuer) -> str:
    """Returns the token of a user who has no tasks yet."""
    return issuer.token(f"user-{uuid4()}")


async def test_created_task_comes_back_as_stored(backend: Backend, token: str) -> None:
    """A member that was left out has its default, and a datetime is the same instant."""
    task = await backend.create_task(token, {"title": "Milk", "due_date": "2026-12-24T18:00:00+02:00"})
    assert (task.title, task.description, task.priority, task.completed) == ("Milk", "", "medium", False)
    assert task.due_date is not None
    assert task.due_date.isoformat() == "2026-12-24T16:00:00+00:00"


async def test_list_is_newest_first_filtered_and_paged(backend: Backend, token: str) -> None:
    """Filters combine, and the cursor leads to the last page."""
    for title in ("a", "b", "c"):
        await backend.create_task(token, {"title": title, "priority": "high"})
    await backend.create_task(token, {"title": "d"})
    query = {"priority": "high", "status": "pending", "limit": 2, "cursor": None}
    first = await backend.list_tasks(token, query)
    second = await backend.list_tasks(token, query | {"cursor": first.next_cursor})
    assert [[task.title for task in page.items] for page in (first, second)] == [["c", "b"], ["a"]]
    assert second.next_cursor is None


async def test_list_is_searched_and_filtered_by_tag(backend: Backend, token: str) -> None:
    """A part of the title or description is found in any case, and filters combine."""
    for title, description, tags in (("Milk", "", ["shop"]), ("Bread", "no MILK", []), ("Tea", "", ["shop"])):
        await backend.create_task(token, {"title": title, "description": description, "tags": tags})
    for query, titles in (
        ({"search": "milk"}, ["Bread", "Milk"]),
        ({"tag": "shop"}, ["Tea", "Milk"]),
        ({"search": "milk", "tag": "shop"}, ["Milk"]),
        ({"search": "%"}, []),
    ):
        assert [task.title for task in (await backend.list_tasks(token, query)).items] == titles


async def test_completing_twice_is_completing_once(backend: Backend, token: str) -> None:
    """A repeated completion does not reopen the task, and changes nothing."""
    task = await backend.create_task(token, {"title": "Milk"})
    completed = [await backend.complete_task(token, task.id) for _ in range(2)]
    assert completed[0].completed
    assert completed[0] == completed[1] == await backend.get_task(token, task.id)


async def test_task_of_a_backend_without_tags_is_understood() -> None:
    """While a release replaces the pods of the backend, an older one may answer."""
    answer = {"title": "Milk", "description": "", "completed": False, "priority": "low", "due_date": None}
    now = "2026-12-24T18:00:00Z"
    older = httpx2.MockTransport(
        lambda _: httpx2.Response(
            200, json=answer | {"id": str(uuid4()), "created_at": now, "updated_at": now, "version": 1}
        )
    )
    async with httpx2.AsyncClient(transport=older, base_url="http://backend.test") as client:
        assert (await Backend(client).get_task("token", uuid4())).tags == []


async def test_first_due_are_listed_first(backend: Backend, token: str) -> None:
    """Tasks that are never due come last."""
    for title, due_date in (
        ("later", "2026-12-25T00:00:00Z"),
        ("never", None),
        ("sooner", "2026-12-24T00:00:00Z"),
    ):
        await backend.create_task(token, {"title": title, "due_date": due_date})
    page = await backend.list_tasks(token, {"sort_by": "due_date", "sort_dir": "asc", "limit": 100})
    assert [task.title for task in page.items] == ["sooner", "later", "never"]


async def test_update_sets_what_was_sent(backend: Backend, token: str) -> None:
    """What was not sent stays, null removes the due date, and the version rises."""
    task = await backend.create_task(token, {"title": "Milk", "due_date": "2026-12-24T18:00:00Z"})
    renamed = await backend.update_task(token, task.id, {"title": "Oat milk"}, task.version)
    assert (renamed.title, renamed.due_date, renamed.version > task.version) == (
        "Oat milk",
        task.due_date,
        True,
    )
    undated = await backend.update_task(token, task.id, {"due_date": None}, renamed.version)
    assert (undated.title, undated.due_date) == ("Oat milk", None)


async def test_deleted_task_is_gone(backend: Backend, token: str) -> None:
    """A deleted task can be neither read nor deleted again."""
    task = await backend.create_task(token, {"title": "Milk"})
    await backend.delete_task(token, task.id, task.version)
    with pytest.raises(BackendRefusedError, match="It may have been deleted"):
        await backend.get_task(token, task.id)
    with pytest.raises(BackendRefusedError, match="It may have been deleted"):
        await backend.delete_task(token, task.id, task.version)


async def test_task_in_another_version_is_not_changed(backend: Backend, token: str) -> None:
    """A change or deletion of a version that is no longer current is refused and does nothing."""
    task = await backend.create_task(token, {"title": "Milk"})
    current = await backend.update_task(token, task.id, {"title": "Oat milk"}, task.version)
    with pytest.raises(TaskChangedError, match="the task was changed after you read it"):
        await backend.update_task(token, task.id, {"title": "Soy milk"}, task.version)
    with pytest.raises(TaskChangedError, match="the task was changed after you read it"):
        await backend.delete_task(token, task.id, task.version)
    assert await backend.get_task(token, task.id) == current


async def test_task_of_another_user_does_not_exist(backend: Backend, token: str, issuer: TokenIssuer) -> None:
    """The refusal for another user's task names only the requested id, whatever is requested."""
    task = await backend.create_task(token, {"title": "Secret"})
    other = issuer.token("another-user")
    for attempt in (
        backend.get_task(other, task.id),
        backend.complete_task(other, task.id),
        backend.update_task(other, task.id, {"title": "Mine"}, task.version),
        backend.update_task(other, task.id, {"title": "Mine"}, task.version + 1),
        backend.delete_task(other, task.id, task.version),
    ):
        with pytest.raises(
            BackendRefusedError, match=f"^You have no task {task.id}. It may have been deleted.$"
        ):
            await attempt
    assert await backend.get_task(token, task.id) == task


async def test_refused_input_is_named(backend: Backend, token: str) -> None:
    """The message says which argument is wrong and why."""
    with pytest.raises(BackendRefusedError, match="title: String should have at least 1 character"):
        await backend.create_task(token, {"title": ""})


async def test_token_for_another_audience_is_refused(backend: Backend, issuer: TokenIssuer) -> None:
    """A token without the audience of the API is refused by the backend."""
    with pytest.raises(BackendRefusedError, match="The token is refused"):
        await backend.list_tasks(issuer.token("ann", audience="todo-mcp"), {})
