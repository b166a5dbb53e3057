"""Writes the dashboards: `python -m todo_dashboards FOLDER`, usually chart/files/dashboards."""

import sys
from pathlib import Path

from todo_dashboards import capacity, events, rollouts, services
from todo_dashboards.panels import to_json

DASHBOARDS = {
    "services": services.dashboard,
    "events": events.dashboard,
    "rollouts": rollouts.dashboard,
    "capacity": capacity.dashboard,
}


def write(folder: Path) -> None:
    """Writes `<name>.json` for each dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        (folder / f"{name}.json").write_text(to_json(dashboard()), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m todo_dashboards FOLDER")
    write(Path(sys.argv[1]))
