"""What happens to tasks, and the event that each change leaves in the same transaction."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from todo_backend.database import outbox
from todo_backend.errors import TaskNotFoundError
from todo_backend.tasks.cursor import Position, decode_cursor, encode_cursor
from todo_backend.tasks.models import TaskRecord
from todo_backend.tasks.repository import TaskRepository
from todo_backend.tasks.schemas import Task, TaskPatch, TaskQuery, TaskWrite
from todo_kit.events import FieldChange, TaskEvent, TaskSnapshot
from todo_kit.outbox import enqueue
from todo_kit.topics import Topics

EventType = Literal["task.created", "task.updated", "task.deleted", "task.completed"]


class TaskService:
    """Every method is one transaction of one user; it is committed when the method returns.

    Methods that take a task's id raise `TaskNotFoundError` when the user has no such task.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession], topics: Topics) -> None:
        """Take where tasks are kept and what the environment calls its topics."""
        self._sessions = sessions
        self._topics = topics

    async def create(self, user_id: str, values: TaskWrite) -> Task:
        """Store a new task."""
        now = datetime.now(UTC)
        record = TaskRecord(id=uuid.uuid4(), created_at=now, updated_at=now, **values.model_dump())
        async with self._sessions.begin() as session:
            await TaskRepository(session, user_id).add(record)
            await self._tell(session, user_id, "task.created", record, changed=None)
            return Task.model_validate(record)

    async def get(self, user_id: str, task_id: UUID) -> Task:
        """Return one task."""
        async with self._sessions.begin() as session:
            return Task.model_validate(await self._find(session, user_id, task_id))

    async def page(self, user_id: str, query: TaskQuery) -> bytes:
        """Return a part of the user's tasks as the JSON of a `TaskPage`.

        Raises `InvalidCursorError`. Written without models, for a list is what users wait for most; instants
        are UTC, so `OPT_UTC_Z` renders them as pydantic does in every other answer.
        """
        after = decode_cursor(query.cursor, user_id, query) if query.cursor is not None else None
        async with self._sessions.begin() as session:
            rows = await TaskRepository(session, user_id).page(query, after)
        shown = rows[: query.limit]
        has_more = len(rows) > len(shown)
        cursor = encode_cursor(Position.model_validate(shown[-1]), user_id, query) if has_more else None
        page = {"items": [row._asdict() for row in shown], "next_cursor": cursor}
        return orjson.dumps(page, option=orjson.OPT_UTC_Z)

    async def replace(self, user_id: str, task_id: UUID, values: TaskWrite) -> Task:
        """Set every field that a user may set."""
        return await self._change(user_id, task_id, lambda _: values.model_dump())

    async def patch(self, user_id: str, task_id: UUID, values: TaskPatch) -> Task:
        """Set the fields that were sent."""
        return await self._change(user_id, task_id, lambda _: values.model_dump(exclude_unset=True))

    async def toggle(self, user_id: str, task_id: UUID) -> Task:
        """Complete a pending task, or reopen a completed one."""
        return await self._change(user_id, task_id, lambda record: {"completed": not record.completed})

    async def delete(self, user_id: str, task_id: UUID) -> None:
        """Delete a task."""
        async with self._sessions.begin() as session:
            record = await self._find(session, user_id, task_id, for_update=True)
            await TaskRepository(session, user_id).delete(record)
            await self._tell(session, user_id, "task.deleted", record, changed=None)

    async def _change(
        self, user_id: str, task_id: UUID, values_for: Callable[[TaskRecord], Mapping[str, Any]]
    ) -> Task:
        """Set what `values_for` the locked task are; when nothing differs, nothing is written or told."""
        async with self._sessions.begin() as session:
            record = await self._find(session, user_id, task_id, for_update=True)
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
                await session.flush()
                is_completion = "completed" in changed and record.completed
                event_type: EventType = "task.completed" if is_completion else "task.updated"
                await self._tell(session, user_id, event_type, record, changed=changed)
            return Task.model_validate(record)

    async def _find(
        self, session: AsyncSession, user_id: str, task_id: UUID, *, for_update: bool = False
    ) -> TaskRecord:
        record = await TaskRepository(session, user_id).find(task_id, for_update=for_update)
        if record is None:
            raise TaskNotFoundError(task_id)
        return record

    async def _tell(
        self,
        session: AsyncSession,
        user_id: str,
        event_type: EventType,
        record: TaskRecord,
        *,
        changed: dict[str, FieldChange] | None,
    ) -> None:
        is_deleted = event_type == "task.deleted"
        event = TaskEvent(
            event_type=event_type,
            task_id=record.id,
            user_id=user_id,
            task=None if is_deleted else _snapshot(record),
            changed_fields=changed,
        )
        await enqueue(
            session,
            outbox,
            topic=self._topics.task_events,
            event_type=event_type,
            key=user_id,
            payload=event.to_json(),
        )


def _snapshot(record: TaskRecord) -> TaskSnapshot:
    return TaskSnapshot.model_validate(record, from_attributes=True)
