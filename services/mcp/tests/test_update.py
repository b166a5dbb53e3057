"""Changing a task."""

import pytest

from .calls import called, refusal
from .conftest import MemoryServer


async def test_only_what_is_given_is_changed(memory_server: MemoryServer) -> None:
    """What is left out, or null as some models send it, stays as it is."""
    async with memory_server.agent_of("ann") as agent:
        task = await called(agent, "add_task", title="Milk", due_date="2026-12-24T18:00:00Z")
        changed = await called(
            agent,
            "update_task",
            task_id=task["id"],
            title="Oat milk",
            due_date=None,
            priority=None,
            tags=None,
        )
        assert changed == task | {"title": "Oat milk", "version": 2}
        done = await called(agent, "update_task", task_id=task["id"], completed=True, version=2)
        assert done["completed"] is True
        reopened = await called(
            agent, "update_task", task_id=task["id"], completed=False, remove_due_date=True
        )
        assert (reopened["completed"], reopened["due_date"]) == (False, None)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_change_of_somebody_else_is_not_overwritten(memory_server: MemoryServer, mode: str) -> None:
    """With the version that it has read, an agent learns of a change made since, and overwrites nothing."""
    async with memory_server.agent_of("ann", mode) as agent:
        task = await called(agent, "add_task", title="Milk")
        await called(agent, "update_task", task_id=task["id"], title="Oat milk")
        said = await refusal(
            agent, "update_task", task_id=task["id"], title="Soy milk", version=task["version"]
        )
        [stored] = (await called(agent, "list_tasks"))["items"]
    assert "the task was changed after you read it. Read it again with list_tasks" in said
    assert stored["title"] == "Oat milk"
