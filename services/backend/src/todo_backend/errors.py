"""The backend's own HTTP errors.

todo_kit.problems.ProblemError
└── NotFoundError
    └── TaskNotFoundError    404

Lists also raise `todo_kit.cursors.InvalidCursorError` (422).
"""

from uuid import UUID

from todo_kit.problems import NotFoundError


class TaskNotFoundError(NotFoundError):
    """The user has no such task; whether another user has one is not disclosed."""

    title = "Task not found"

    def __init__(self, task_id: UUID) -> None:
        """Names the requested task."""
        super().__init__(f"You have no task {task_id}. It may have been deleted.")
