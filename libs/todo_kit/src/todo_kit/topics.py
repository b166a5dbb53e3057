"""The one place that composes topic names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """Topic names of one environment; the prefix (`staging-`, or empty) keeps environments apart."""

    prefix: str = ""

    @property
    def task_events(self) -> str:
        """Changes of tasks, published by the backend."""
        return f"{self.prefix}task-events"

    @property
    def notifications(self) -> str:
        """What users are told, published by notification."""
        return f"{self.prefix}notifications"

    @property
    def dead_letters(self) -> str:
        """Events that no consumer could handle."""
        return f"{self.prefix}dead-letters"
