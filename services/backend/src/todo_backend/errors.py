"""The backend's own HTTP errors.

todo_kit.problems.ProblemError
├── NotFoundError
│   └── TaskNotFoundError      404
├── PreconditionFailedError
│   └── TaskChangedError       412
└── TaskLimitError             409

Lists also raise `todo_kit.cursors.InvalidCursorError` (422).
"""

from http import HTTPStatus
from uuid import UUID

from todo_kit.problems import NotFoundError, PreconditionFailedError, ProblemError


class TaskNotFoundError(NotFoundError):
    """The user has no such task; whether another user has one is not disclosed."""

    title = "Task not found"

    def __init__(self, task_id: UUID) -> None:
        """Names the requested task."""
        super().__init__(f"You have no task {task_id}. It may have been deleted.")


class TaskChangedError(PreconditionFailedError):
    """The task is not in the version that the caller has seen; the response names the current one."""

    title = "Task has changed"

    def __init__(self, current: str) -> None:
        """Takes the entity tag of the current version."""
        super().__init__(
            "The task was changed after you read it. Read it again and repeat what you still want.",
            headers={"ETag": current},
        )


class TaskLimitError(ProblemError):
    """The user has as many tasks as a user may have."""

    status_code = HTTPStatus.CONFLICT
    title = "Too many tasks"

    def __init__(self, max_tasks: int) -> None:
        """Names the limit."""
        super().__init__(f"You have {max_tasks} tasks, and more are not possible. Delete some first.")
