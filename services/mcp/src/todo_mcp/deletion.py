"""The tool that deletes a task, after the user has confirmed it.

A client with elicitation puts the question to the user, and the model cannot answer it. For other clients
there are two steps: the first call shows the task and returns a code, and the second call deletes it.
"""

import json
from typing import Annotated, Literal

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp_types import ToolAnnotations
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field

from todo_mcp.authentication import caller
from todo_mcp.backend import Backend
from todo_mcp.confirmation import Confirmations
from todo_mcp.schemas import Task, TaskId
from todo_mcp.strict_tools import StrictTools

STATELESS_ELICITATION = "2026-07-28"  # the protocol in which a question needs no session


class Approval(BaseModel):
    """The user's answer."""

    delete: bool = Field(title="Delete the task", description="The task is deleted only if this is true.")


class Deletion(BaseModel):
    """What was done. With `confirmation_required` nothing was deleted yet; `message` says what to do next."""

    status: Literal["deleted", "kept", "confirmation_required"]
    task: Task
    message: str
    confirmation: str | None = None


Confirmation = Annotated[
    str,
    Field(max_length=200, description="The code of the call before, once the user has agreed to delete."),
]


def add_delete_tool(tools: StrictTools, backend: Backend, confirmations: Confirmations) -> None:
    """Adds the tool `delete_task`; it reads and deletes through `backend`."""

    async def find(task_id: TaskId) -> Task:
        return await backend.get_task(caller().token, task_id)

    async def ask(
        context: Context, task: Annotated[Task, Resolve(find)], confirmation: str | None
    ) -> Approval | Elicit[Approval]:
        if can_ask(context):
            return Elicit(f"Delete the task {json.dumps(task.title, ensure_ascii=False)}?", Approval)
        if confirmation is None:
            return Approval(delete=False)
        confirmations.check(confirmation, _user_id(), task)
        return Approval(delete=True)

    @tools.add(
        title="Delete a task",
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
        ),
    )
    async def delete_task(
        context: Context,
        task_id: TaskId,
        task: Annotated[Task, Resolve(find)],
        answer: Annotated[ElicitationResult[Approval], Resolve(ask)],
        confirmation: Confirmation | None = None,
    ) -> Deletion:
        """Delete a task, after the user has agreed to it.

        If the status of the answer is confirmation_required, nothing was deleted: show the task to the user,
        and only if the user agrees call again with the code.
        """
        if isinstance(answer, AcceptedElicitation) and answer.data.delete:
            await backend.delete_task(caller().token, task_id, task.version)
            return Deletion(status="deleted", task=task, message="The task was deleted.")
        if can_ask(context):
            return Deletion(status="kept", task=task, message="The user did not agree, so the task is kept.")
        return Deletion(
            status="confirmation_required",
            task=task,
            message="Nothing was deleted yet. Show this task to the user and ask whether to delete it. Only"
            " if the user agrees, call delete_task again with the same task_id and this confirmation code.",
            confirmation=confirmations.issue(_user_id(), task),
        )


def can_ask(context: Context) -> bool:
    """Returns whether the client can put a question to the user, by a form, in answer to this request."""
    capabilities = context.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False  # without modes it means forms, as before there were modes
    version = context.protocol_version
    is_stateless = version is not None and is_version_at_least(version, STATELESS_ELICITATION)
    return is_stateless or context.session.can_send_request


def _user_id() -> str:
    return caller().client_id
