"""Turns the log lines of the application's processes into lines for people.

Our services, daprd and Caddy write one JSON object a line, under slightly different names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

LEVEL_NAMES = {"warn": "warning", "fatal": "error", "critical": "error", "panic": "error"}
STYLES = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red"}
RANKS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
EVENT_KEYS = ("event", "msg", "message")
# Shown by the prefix already, or the same on every line.
LEFT_OUT = {
    "timestamp",
    "time",
    "ts",
    "level",
    "service",
    "app_id",
    "instance",
    "scope",
    "type",
    "ver",
    "logger",
}


@dataclass(frozen=True)
class LogLine:
    """A parsed line; one that is not JSON has the level `info` and no fields."""

    level: str
    event: str
    fields: Mapping[str, object]

    @property
    def is_warning(self) -> bool:
        """Whether the level is warning or above."""
        return RANKS[self.level] >= RANKS["warning"]

    def render(self) -> Text:
        """Returns `event  key=value ...` in the colour of the level; a value may span lines."""
        text = Text(self.event, style=STYLES[self.level])
        for key, value in self.fields.items():
            shown = value if isinstance(value, str) else json.dumps(value)
            if "\n" in shown:
                text.append(f"\n{shown.rstrip()}", style="dim")
            else:
                text.append(f"  {key}=", style="dim").append(shown)
        return text


def parse(line: str) -> LogLine:
    """Parses a line of any of our processes."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return LogLine("info", line, {})
    level = str(record.get("level", "info")).lower()
    level = LEVEL_NAMES.get(level, level)
    event_key = next((key for key in EVENT_KEYS if key in record), None)
    return LogLine(
        level=level if level in RANKS else "info",
        event=str(record[event_key]) if event_key else "",
        fields={
            key: value
            for key, value in record.items()
            if key not in LEFT_OUT and key != event_key and value not in (None, "")
        },
    )
