"""Which arguments the tools accept."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from .backend_double import BackendDouble
from .calls import called, refusal
from .conftest import MemoryServer

OPENAPI = Path(__file__).parents[3] / "contracts/openapi.json"
ID = str(uuid4())
NOT_A_DATE = "due_date: must be a text with date, time and offset from UTC (RFC 3339)"


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("add_task", {}, "title: this argument is required."),
        ("add_task", {"title": ""}, "title: String should have at least 1 character."),
        ("add_task", {"title": 7}, "title: Input should be a valid string."),
        ("add_task", {"title": "\ud800"}, "title: Input should be a valid string"),
        ("add_task", {"title": "a" * 256}, "title: String should have at most 255 characters."),
        (
            "add_task",
            {"title": "Milk", "priority": "urgent"},
            "priority: Input should be 'high', 'medium' or",
        ),
        ("add_task", {"title": "Milk", "due_date": 2026}, NOT_A_DATE),
        ("add_task", {"title": "Milk", "due_date": "2026"}, NOT_A_DATE),
        ("add_task", {"title": "Milk", "due_date": "2026-12-24"}, NOT_A_DATE),
        ("add_task", {"title": "Milk", "due_date": "2026-12-24T18:00:00"}, NOT_A_DATE),
        (
            "add_task",
            {"title": "Milk", "due_date": "2026-02-30T18:00:00Z"},
            "due_date: Input should be a valid",
        ),
        ("add_task", {"title": "Milk", "due_date": "null"}, NOT_A_DATE),
        ("add_task", {"title": "Milk", "user_id": "bob"}, "user_id: this tool has no such argument."),
        ("list_tasks", {"serch": "milk"}, "serch: this tool has no such argument."),
        ("list_tasks", {"search": ["milk"]}, "search: Input should be a valid string."),
        ("add_task", {"title": "Milk", "tags": "shop"}, "tags: Input should be a valid list."),
        ("add_task", {"title": "Milk", "tags": ["a"] * 11}, "tags: List should have at most 10 items"),
        (
            "update_task",
            {"task_id": ID, "tags": ["a" * 51]},
            "tags: String should have at most 50 characters.",
        ),
        ("list_tasks", {"limit": "5"}, "limit: Input should be a valid integer."),
        ("list_tasks", {"limit": True}, "limit: Input should be a valid integer."),
        ("list_tasks", {"limit": 101}, "limit: Input should be less than or equal to 100."),
        ("list_tasks", {"status": "done"}, "status: Input should be 'pending' or 'completed'."),
        ("complete_task", {"task_id": 7}, "task_id: UUID input should be a string, bytes or UUID object."),
        ("complete_task", {"task_id": "milk"}, "task_id: Input should be a valid UUID"),
        (
            "update_task",
            {"task_id": ID},
            "Give at least one of title, description, priority, tags, due_date, c",
        ),
        ("update_task", {"task_id": ID, "completed": "true"}, "completed: Input should be a valid boolean."),
        ("update_task", {"task_id": ID, "title": "a", "version": 0}, "version: Input should be greater than"),
        (
            "update_task",
            {"task_id": ID, "due_date": "2026-12-24T18:00:00Z", "remove_due_date": True},
            "due_date and remove_due_date: give only one of them.",
        ),
        ("delete_task", {"task_id": ID, "confirmation": 1}, "confirmation: Input should be a valid string."),
        (
            "delete_task",
            {"task_id": ID, "answer": {"delete": True}},
            "answer: this tool has no such argument.",
        ),
        (
            "task_summary",
            {"time_zone": "Mars/Base"},
            "time_zone: must be a name of the IANA time zone database",
        ),
        ("task_summary", {"time_zone": "../../etc/passwd"}, "time_zone: must be a name of the IANA"),
        ("task_summary", {"time_zone": "America"}, "time_zone: must be a name of the IANA"),
    ],
)
async def test_invalid_argument_is_refused_without_a_call_of_the_backend(
    memory_server: MemoryServer, double: BackendDouble, tool: str, arguments: dict[str, Any], words: str
) -> None:
    """The model reads which argument is wrong and why, and the backend gets no request."""
    async with memory_server.agent_of("ann") as agent:
        said = await refusal(agent, tool, **arguments)
    assert "Nothing was done, because the arguments are not allowed." in said
    assert words in said
    assert "pydantic" not in said
    assert double.request_ids == []


async def test_every_wrong_argument_is_named(memory_server: MemoryServer) -> None:
    """The model can correct all its mistakes at once."""
    async with memory_server.agent_of("ann") as agent:
        said = await refusal(agent, "add_task", title="", due_date=1, colour="red")
    assert ["title:" in said, "due_date:" in said, "colour:" in said] == [True, True, True]


async def test_text_that_is_json_stays_a_text(memory_server: MemoryServer) -> None:
    """A description may be `null` or JSON, and is stored as it is."""
    async with memory_server.agent_of("ann") as agent:
        for text in ("null", '{"a": 1}', "[1]"):
            task = await called(agent, "add_task", title="JSON", description=text)
            assert task["description"] == text
            changed = await called(agent, "update_task", task_id=task["id"], description=f"{text} ")
            assert changed["description"] == f"{text} "


async def test_list_offers_the_filters_that_the_backend_has(memory_server: MemoryServer) -> None:
    """They are the same: the backend ignores unknown parameters, so one more would silently list too much."""
    operation = json.loads(OPENAPI.read_text())["paths"]["/api/todos"]["get"]
    async with memory_server.agent_of("ann") as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
    offered = set(tools["list_tasks"].input_schema["properties"])
    assert offered == {parameter["name"] for parameter in operation["parameters"]}
