"""What the backend answers with when it does not do what was asked.

todo_kit.problems.ProblemError
├── NotFoundError
│   └── TaskNotFoundError    404
└── ValidationFailedError
    └── InvalidCursorError   422
"""

from uuid import UUID

from todo_kit.problems import NotFoundError, ValidationFailedError


class TaskNotFoundError(NotFoundError):
    """The user has no such task; whether another user has is not said."""

    title = "Task not found"

    def __init__(self, task_id: UUID) -> None:
        """Name the task that was asked for."""
        super().__init__(f"You have no task {task_id}. It may have been deleted.")


class InvalidCursorError(ValidationFailedError):
    """A list was asked to go on from a cursor that this list did not give."""

    title = "Invalid cursor"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("The cursor does not belong to this list. Start again without one.")
