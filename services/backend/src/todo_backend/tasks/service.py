"""The rules of tasks; each change stores its event in the same transaction."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from todo_backend.database import outbox
from todo_backend.errors import TaskLimitError, TaskNotFoundError
from todo_backend.tasks.hot_paths import insert_task, read_page
from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.position import TaskPosition
from todo_backend.tasks.preconditions import Precondition
from todo_backend.tasks.repository import TaskRepository
from todo_backend.tasks.schemas import TagList, TagQuery, Task, TaskPatch, TaskQuery, TaskWrite
from todo_kit.cursors import decode_cursor, encode_cursor, split_page
from todo_kit.data.outbox import NewEvent, enqueue
from todo_kit.data.statements import Statements
from todo_kit.events import FieldChange, TaskEvent, TaskSnapshot
from todo_kit.topics import Topics

EventType = Literal["task.created", "task.updated", "task.deleted", "task.completed"]


class TaskService:
    """What a user can do with tasks; each method is one transaction, committed when the method returns.

    Methods that take the id of a task raise `TaskNotFoundError` when the user has no such task. Those with a
    precondition raise `TaskChangedError` when the task does not fulfil it.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        statements: Statements,
        topics: Topics,
        *,
        max_tasks: int,
    ) -> None:
        """Stores at most `max_tasks` of a user and publishes to `topics`.

        `sessions` and `statements` access the same database.
        """
        self._statements = statements
        self._sessions = sessions
        self._topics = topics
        self._max_tasks = max_tasks

    async def create(self, user_id: str, values: TaskWrite) -> Task:
        """Stores a new task; raises `TaskLimitError`."""
        now = datetime.now(UTC)
        task = Task(id=uuid.uuid4(), created_at=now, updated_at=now, version=1, **values.model_dump())
        event = self._event(user_id, "task.created", task, changed=None)
        if not await insert_task(self._statements, user_id, task, event, max_tasks=self._max_tasks):
            raise TaskLimitError(self._max_tasks)
        return task

    async def get(self, user_id: str, task_id: UUID) -> Task:
        """Returns a task."""
        async with self._sessions.begin() as session:
            return Task.model_validate(await self._find(session, user_id, task_id))

    async def page(self, user_id: str, query: TaskQuery) -> bytes:
        """Returns a page of the user's tasks as the JSON of a `TaskPage`; raises `InvalidCursorError`.

        It is made without models, because lists are the requests that users wait for most. Datetimes are in
        UTC, so `OPT_UTC_Z` renders them as pydantic does in all other answers.
        """
        after = (
            decode_cursor(query.cursor, TaskPosition, user_id, query) if query.cursor is not None else None
        )
        rows = await read_page(self._statements, user_id, query, after)
        shown, last = split_page(rows, query.limit)
        cursor = (
            encode_cursor(TaskPosition.model_validate(last), user_id, query) if last is not None else None
        )
        page = {"items": shown, "next_cursor": cursor}
        return orjson.dumps(page, option=orjson.OPT_UTC_Z)

    async def tags(self, user_id: str, query: TagQuery) -> TagList:
        """Returns tags of the user's tasks."""
        async with self._sessions.begin() as session:
            return TagList(items=list(await TaskRepository(session, user_id).tags(query)))

    async def replace(
        self, user_id: str, task_id: UUID, values: TaskWrite, precondition: Precondition
    ) -> Task:
        """Sets every field that a user may set."""
        return await self._change(user_id, task_id, lambda _: values.model_dump(), precondition)

    async def patch(self, user_id: str, task_id: UUID, values: TaskPatch, precondition: Precondition) -> Task:
        """Sets the fields that were sent."""
        sent = values.model_dump(exclude_unset=True)
        return await self._change(user_id, task_id, lambda _: sent, precondition)

    async def toggle(self, user_id: str, task_id: UUID, precondition: Precondition) -> Task:
        """Completes a pending task, or reopens a completed one."""
        return await self._change(
            user_id, task_id, lambda record: {"completed": not record.completed}, precondition
        )

    async def delete(self, user_id: str, task_id: UUID, precondition: Precondition) -> None:
        """Deletes a task."""
        async with self._sessions.begin() as session:
            record = await self._find(session, user_id, task_id, for_update=True)
            precondition.check(record.version)
            record.version += 1
            await TaskRepository(session, user_id).delete(record)
            await self._enqueue(session, user_id, "task.deleted", record, changed=None)

    async def _change(
        self,
        user_id: str,
        task_id: UUID,
        values_for: Callable[[TaskRecord], Mapping[str, Any]],
        precondition: Precondition,
    ) -> Task:
        """Sets the values that `values_for` returns for the locked task; if none differs, writes no event."""
        async with self._sessions.begin() as session:
            record = await self._find(session, user_id, task_id, for_update=True)
            precondition.check(record.version)
            before = _snapshot(record).model_dump(mode="json")
            for name, value in values_for(record).items():
                setattr(record, name, value)
            after = _snapshot(record).model_dump(mode="json")
            changed = {
                name: FieldChange(old=before[name], new=value)
                for name, value in after.items()
                if before[name] != value
            }
            if changed:
                record.updated_at = datetime.now(UTC)
                record.version += 1
                await session.flush()
                is_completion = "completed" in changed and record.completed
                event_type: EventType = "task.completed" if is_completion else "task.updated"
                await self._enqueue(session, user_id, event_type, record, changed=changed)
            return Task.model_validate(record)

    async def _find(
        self, session: AsyncSession, user_id: str, task_id: UUID, *, for_update: bool = False
    ) -> TaskRecord:
        record = await TaskRepository(session, user_id).find(task_id, for_update=for_update)
        if record is None:
            raise TaskNotFoundError(task_id)
        return record

    async def _enqueue(
        self,
        session: AsyncSession,
        user_id: str,
        event_type: EventType,
        record: TaskRecord,
        *,
        changed: dict[str, FieldChange] | None,
    ) -> None:
        await enqueue(session, outbox, **self._event(user_id, event_type, record, changed=changed))

    def _event(
        self,
        user_id: str,
        event_type: EventType,
        task: TaskRecord | Task,
        *,
        changed: dict[str, FieldChange] | None,
    ) -> NewEvent:
        is_deleted = event_type == "task.deleted"
        event = TaskEvent(
            event_type=event_type,
            task_id=task.id,
            user_id=user_id,
            version=task.version,
            task=None if is_deleted else _snapshot(task),
            changed_fields=changed,
        )
        return NewEvent(
            topic=self._topics.task_events, event_type=event_type, key=user_id, payload=event.to_json()
        )


def _snapshot(record: TaskRecord | Task) -> TaskSnapshot:
    return TaskSnapshot.model_validate(record, from_attributes=True)
