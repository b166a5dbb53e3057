"""The notification service's own HTTP errors.

todo_kit.problems.ProblemError
└── NotFoundError
    └── NotificationNotFoundError   404

Lists also raise `todo_kit.cursors.InvalidCursorError` (422).
"""

from uuid import UUID

from todo_kit.problems import NotFoundError


class NotificationNotFoundError(NotFoundError):
    """The user has no such notification; whether another user has one is not disclosed."""

    title = "Notification not found"

    def __init__(self, notification_id: UUID) -> None:
        """Names the requested notification."""
        super().__init__(f"You have no notification {notification_id}.")
