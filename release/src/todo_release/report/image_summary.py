"""Summarizes a run by image: what ran before, what runs now and why, and when it was ready."""

from collections.abc import Mapping
from typing import Any

from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.pipeline.steps import BuildImage, Deploy, Verify

DIGEST_CHARACTERS = 12
NOTHING = "-"


class ImageSummary:
    """Listens to a run and keeps what the table needs."""

    def __init__(self) -> None:
        """Starts empty."""
        self._images: dict[str, tuple[BuildImage, str]] = {}
        self._ready_after: dict[str, Mapping[str, float]] = {}
        self._checks: dict[str, tuple[int, float]] = {}

    def __call__(self, event: RunEvent) -> None:
        """Keeps the results of builds, deployments and smoke checks."""
        match event:
            case StepEnded(BuildImage() as step, _, _, outcome):
                self._images[step.image] = step, str(outcome.get("digest") or step.digest or "")
            case StepEnded(Deploy() as step, False, _, outcome):
                self._ready_after[step.environment] = outcome.get("ready_after", {})
            case StepEnded(Verify() as step, False, seconds, outcome):
                self._checks[step.environment] = int(outcome.get("checks", 0)), seconds

    def table(self, version: str) -> Table | None:
        """Returns one row for each image; None when no environment was changed or the run had no images."""
        if not self._ready_after or not self._images:
            return None
        rows = tuple(
            (
                image,
                _short_digest(step.last),
                _short_digest(digest),
                step.reason,
                *(_first_ready(image, ready_after) for ready_after in self._ready_after.values()),
            )
            for image, (step, digest) in self._images.items()
        )
        checks = "; ".join(
            f"{environment}: {count} checks in {duration(seconds)}"
            for environment, (count, seconds) in self._checks.items()
        )
        columns = ("image", "before", "now", "why", *(f"ready in {name} after" for name in self._ready_after))
        return Table(f"{version}{f' ({checks})' if checks else ''}", columns, rows)


def _short_digest(digest: str | None) -> str:
    return (digest or "").removeprefix("sha256:")[:DIGEST_CHARACTERS] or NOTHING


def _first_ready(image: str, ready_after: Mapping[str, Any]) -> str:
    """Returns when the workload named after an image was ready: `shop-backend` for backend."""
    names = [name for name in ready_after if name == image or name.endswith(f"-{image}")]
    return duration(ready_after[min(names, key=len)]) if names else NOTHING
