"""The tools, called by the SDK's client over real HTTP."""

from uuid import uuid4

import pytest

from todo_kit.problems import UnavailableError

from .backend_double import BackendDouble
from .calls import called, refusal, text_of
from .conftest import ToolServer


async def test_tools_describe_themselves(tool_server: ToolServer) -> None:
    """Each tool has a title, a described result and hints; none has an argument for the user."""
    async with tool_server.agent_of("ann") as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
    assert set(tools) == {
        "add_task",
        "list_tasks",
        "complete_task",
        "update_task",
        "delete_task",
        "task_summary",
    }
    for tool in tools.values():
        assert tool.title
        assert tool.description
        assert tool.output_schema
        assert tool.input_schema["additionalProperties"] is False
        assert {"user_id", "task", "answer", "context"} & set(tool.input_schema["properties"]) == set()
    hints = {name: tool.annotations for name, tool in tools.items()}

    def hinted(hint: str) -> set[str]:
        return {name for name, annotations in hints.items() if getattr(annotations, hint)}

    assert hinted("read_only_hint") == {"list_tasks", "task_summary"}
    assert hinted("destructive_hint") == {"delete_task"}
    assert hinted("idempotent_hint") == {"complete_task", "update_task", "delete_task"}
    assert hinted("open_world_hint") == set()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_agent_adds_lists_and_completes(tool_server: ToolServer, mode: str) -> None:
    """The three tools work together, for clients of the current protocol and of the one before."""
    async with tool_server.agent_of("ann", mode) as agent:
        added = await called(
            agent, "add_task", title="Milk", priority="high", due_date="2026-12-24T18:00:00Z"
        )
        assert (added["title"], added["priority"], added["completed"]) == ("Milk", "high", False)
        await called(agent, "add_task", title="Bread", tags=["shop"])
        for found in ({"search": "BREA"}, {"tag": "shop"}):
            items = (await called(agent, "list_tasks", **found))["items"]
            assert [(task["title"], task["tags"]) for task in items] == [("Bread", ["shop"])]
        pending = await called(agent, "list_tasks", status="pending", limit=1)
        assert [task["title"] for task in pending["items"]] == ["Bread"]
        rest = await called(agent, "list_tasks", status="pending", limit=1, cursor=pending["next_cursor"])
        assert rest == {"items": [added], "next_cursor": None}
        for _ in range(2):
            assert (await called(agent, "complete_task", task_id=added["id"]))["completed"] is True
        done = await called(agent, "list_tasks", status="completed")
        assert [task["id"] for task in done["items"]] == [added["id"]]


async def test_agent_sees_only_the_tasks_of_its_user(tool_server: ToolServer) -> None:
    """An agent of one user cannot list, count or change the tasks of another user."""
    async with tool_server.agent_of("ann") as of_ann, tool_server.agent_of("bob") as of_bob:
        task = await called(of_ann, "add_task", title="Secret")
        assert (await called(of_bob, "list_tasks"))["items"] == []
        for tool, more in (
            ("complete_task", {}),
            ("update_task", {"title": "Mine"}),
            ("update_task", {"title": "Mine", "version": 1}),
            ("delete_task", {}),
        ):
            words = await refusal(of_bob, tool, task_id=task["id"], **more)
            assert words.endswith(f"You have no task {task['id']}. It may have been deleted.")
        assert (await called(of_bob, "task_summary"))["pending"] == 0
        assert (await called(of_ann, "list_tasks"))["items"] == [task]


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
