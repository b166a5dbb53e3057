"""The names of the topics; nothing else composes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """The topics of one environment; the prefix (`staging-`, or empty) keeps environments apart."""

    prefix: str = ""

    @property
    def task_events(self) -> str:
        """Changes of tasks, published by the backend."""
        return f"{self.prefix}task-events"

    @property
    def notifications(self) -> str:
        """New notifications, published by notification, and overdue reminders."""
        return f"{self.prefix}notifications"

    @property
    def dead_letters(self) -> str:
        """Dead letters: events that a consumer could not handle."""
        return f"{self.prefix}dead-letters"
