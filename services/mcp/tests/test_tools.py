"""The tools, called by the SDK's client over real HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from mcp import Client
from mcp_types import CallToolResult, TextContent

from todo_kit.problems import UnavailableError

from .backend_double import BackendDouble
from .conftest import ToolServer


async def called(agent: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool that succeeds and returns its structured result."""
    result = await agent.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    """Returns the text that the model reads."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def test_tools_describe_themselves(tool_server: ToolServer) -> None:
    """Each tool has a title, a described result and hints; none has an argument for the user."""
    async with tool_server.agent_of("ann") as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
    assert set(tools) == {"add_task", "list_tasks", "complete_task"}
    for tool in tools.values():
        assert tool.title
        assert tool.description
        assert tool.output_schema
        assert "user" not in "".join(tool.input_schema["properties"])
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert [name for name, hint in hints.items() if hint and hint.read_only_hint] == ["list_tasks"]
    assert [name for name, hint in hints.items() if hint and hint.idempotent_hint] == ["complete_task"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_agent_adds_lists_and_completes(tool_server: ToolServer, mode: str) -> None:
    """The three tools work together, for clients of the current protocol and of the one before."""
    async with tool_server.agent_of("ann", mode) as agent:
        added = await called(
            agent, "add_task", title="Milk", priority="high", due_date="2026-12-24T18:00:00Z"
        )
        assert (added["title"], added["priority"], added["completed"]) == ("Milk", "high", False)
        await called(agent, "add_task", title="Bread")
        pending = await called(agent, "list_tasks", status="pending", limit=1)
        assert [task["title"] for task in pending["items"]] == ["Bread"]
        rest = await called(agent, "list_tasks", status="pending", limit=1, cursor=pending["next_cursor"])
        assert rest == {"items": [added], "next_cursor": None}
        for _ in range(2):
            assert (await called(agent, "complete_task", task_id=added["id"]))["completed"] is True
        done = await called(agent, "list_tasks", status="completed")
        assert [task["id"] for task in done["items"]] == [added["id"]]


async def test_agent_sees_only_the_tasks_of_its_user(tool_server: ToolServer) -> None:
    """An agent of one user cannot list or complete the tasks of another user."""
    async with tool_server.agent_of("ann") as of_ann, tool_server.agent_of("bob") as of_bob:
        task = await called(of_ann, "add_task", title="Secret")
        assert (await called(of_bob, "list_tasks"))["items"] == []
        result = await of_bob.call_tool("complete_task", {"task_id": task["id"]})
        assert result.is_error
        assert (await called(of_ann, "list_tasks"))["items"] == [task]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"title": ""}, "title"), ({"title": "Milk", "priority": "urgent"}, "priority"), ({}, "title")],
)
async def test_invalid_argument_is_refused_without_a_call_of_the_backend(
    tool_server: ToolServer, double: BackendDouble, arguments: dict[str, Any], words: str
) -> None:
    """The model reads which argument is wrong, and the backend gets no request."""
    async with tool_server.agent_of("ann") as agent:
        result = await agent.call_tool("add_task", arguments)
    assert result.is_error
    assert words in text_of(result)
    assert double.request_ids == []


async def test_refusal_of_the_backend_is_passed_on(tool_server: ToolServer) -> None:
    """The model reads the backend's message about a task that does not exist."""
    task_id = uuid4()
    async with tool_server.agent_of("ann") as agent:
        result = await agent.call_tool("complete_task", {"task_id": str(task_id)})
    assert result.is_error
    assert text_of(result).endswith(f"You have no task {task_id}. It may have been deleted.")


async def test_failure_of_the_backend_is_reported_without_its_message(
    tool_server: ToolServer, double: BackendDouble
) -> None:
    """Of an internal failure the model reads only when to try again."""
    double.failure = UnavailableError("secret-host refused the connection", retry_after_seconds=7)
    async with tool_server.agent_of("ann") as agent:
        result = await agent.call_tool("list_tasks", {})
    assert result.is_error
    assert text_of(result).endswith("The task service failed (503). Try again in 7 seconds.")


async def test_request_id_is_passed_to_the_backend(tool_server: ToolServer, double: BackendDouble) -> None:
    """The logs of both services have the same request id."""
    async with tool_server.agent_of("ann") as agent:
        await called(agent, "list_tasks")
        await called(agent, "list_tasks")
    assert None not in double.request_ids
    assert len(set(double.request_ids)) == 2
