"""What a run came to, image by image: what ran before, what runs now and why, and how soon it was ready."""

from collections.abc import Mapping
from typing import Any

from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.pipeline.steps import BuildImage, Deploy, Verify

SHORT = 12
NOTHING = "-"


class Tally:
    """Listens to a run and counts."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._images: dict[str, tuple[BuildImage, str]] = {}
        self._ready: dict[str, Mapping[str, float]] = {}
        self._checks: dict[str, tuple[int, float]] = {}

    def __call__(self, event: RunEvent) -> None:
        """Keep what the table needs."""
        match event:
            case StepEnded(BuildImage() as step, _, _, outcome):
                self._images[step.image] = step, str(outcome.get("digest") or step.digest or "")
            case StepEnded(Deploy() as step, False, _, outcome):
                self._ready[step.environment] = outcome.get("ready_after", {})
            case StepEnded(Verify() as step, False, seconds, outcome):
                self._checks[step.environment] = int(outcome.get("checks", 0)), seconds

    def table(self, version: str) -> Table | None:
        """One row an image; None when no environment was changed, or no image was looked at."""
        if not self._ready or not self._images:
            return None
        rows = tuple(
            (
                image,
                _short(step.last),
                _short(digest),
                step.reason,
                *(_soonest(image, ready) for ready in self._ready.values()),
            )
            for image, (step, digest) in self._images.items()
        )
        checks = "; ".join(
            f"{environment}: {count} checks in {duration(seconds)}"
            for environment, (count, seconds) in self._checks.items()
        )
        columns = ("image", "before", "now", "why", *(f"ready in {name} after" for name in self._ready))
        return Table(f"{version}{f' ({checks})' if checks else ''}", columns, rows)


def _short(digest: str | None) -> str:
    return (digest or "").removeprefix("sha256:")[:SHORT] or NOTHING


def _soonest(image: str, ready: Mapping[str, Any]) -> str:
    """When the workload that is called after an image was ready: `todo-app-backend` for backend."""
    names = [name for name in ready if name == image or name.endswith(f"-{image}")]
    return duration(ready[min(names, key=len)]) if names else NOTHING
