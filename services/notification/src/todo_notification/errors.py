"""What the service answers with when it does not do what was asked.

todo_kit.problems.ProblemError
├── NotFoundError
│   └── NotificationNotFoundError   404
└── ValidationFailedError
    └── InvalidCursorError          422
"""

from uuid import UUID

from todo_kit.problems import NotFoundError, ValidationFailedError


class NotificationNotFoundError(NotFoundError):
    """The user has no such notification; whether another user has is not said."""

    title = "Notification not found"

    def __init__(self, notification_id: UUID) -> None:
        """Name the notification that was asked for."""
        super().__init__(f"You have no notification {notification_id}.")


class InvalidCursorError(ValidationFailedError):
    """A list was asked to go on from a cursor that this list did not give."""

    title = "Invalid cursor"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("The cursor does not belong to this list. Start again without one.")
