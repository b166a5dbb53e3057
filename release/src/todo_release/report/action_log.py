"""Shows a command in the log of GitHub Actions: one group a step, which opens when somebody looks for it."""

from typing import TextIO

from todo_release.pipeline.events import RunEvent, StepEnded, StepFailed, StepProgressed, StepStarted
from todo_release.pipeline.steps import Step
from todo_release.report.lines import LineReporter

GROUP, END_GROUP = "::group::", "::endgroup::"


class ActionLogReporter(LineReporter):
    """Writes lines, the output of each step in a group.

    Groups cannot overlap, so the output of steps that run at the same time is kept until each step ends. A
    group is written at once where a step runs alone, so that a log of a running job can be followed.
    """

    def __init__(self, stream: TextIO) -> None:
        """Writes to `stream`; nobody can answer."""
        super().__init__(stream, can_ask=False)
        self._kept: dict[str, list[str]] = {}
        self._open: str | None = None

    def __call__(self, event: RunEvent) -> None:
        """Writes an event, or keeps it until its step ends."""
        match event:
            case StepStarted(step):
                super().__call__(event)
                self._kept[step.id] = []
            case StepProgressed(step, text, _) if step.wave is not None:
                self._kept[step.id].append(text)
            case StepProgressed(step, text, _):
                if self._open is None:
                    self._write(f"{GROUP}{step.title}")
                    self._open = step.id
                self._write_output(text)
            case StepEnded(step) | StepFailed(step):
                self._close(step)
                super().__call__(event)
            case _:
                super().__call__(event)

    def _close(self, step: Step) -> None:
        if kept := self._kept.pop(step.id, []):
            self._write(f"{GROUP}{step.title}")
            for text in kept:
                self._write_output(text)
            self._write(END_GROUP)
        if self._open == step.id:
            self._write(END_GROUP)
            self._open = None

    def _write_output(self, text: str) -> None:
        # A mark before it: GitHub obeys a line that begins with ::, also behind spaces.
        self._write(f"  | {text}")
