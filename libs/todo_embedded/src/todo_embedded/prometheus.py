"""Prometheus and the programs around it: promtool, amtool and node-exporter, built once from Go modules.

The versions are those of the chart kube-prometheus-stack that the cluster runs. Of the ways to find targets
only static ones are compiled in, because the rest is the larger part of the program; there are no web pages.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from todo_embedded.gobuild import go_program
from todo_embedded.ports import free_port
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage, ignore_progress

START_TIMEOUT_SECONDS = 30
_SOURCES = "monitoring_main"
_REMEDY = "build on a machine that has one and copy its ~/.cache/todo"


def promtool(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns the program that checks and tests rules, and converts samples.

    Raises:
        ToolInstallError: it could not be built.
    """
    return _prometheus_program("promtool", progress)


def amtool(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns the program that checks a configuration of Alertmanager and its routes.

    Raises:
        ToolInstallError: it could not be built.
    """
    package = "github.com/prometheus/alertmanager/cmd/amtool"
    return go_program("amtool", _SOURCES, minutes=1, remedy=_REMEDY, package=package, progress=progress)


def node_exporter(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns the program that serves the metrics of a machine.

    Raises:
        ToolInstallError: it could not be built.
    """
    package = "github.com/prometheus/node_exporter"
    return go_program(
        "node-exporter", _SOURCES, minutes=1, remedy=_REMEDY, package=package, progress=progress
    )


@contextmanager
def running_prometheus(
    scrapes: Sequence[dict[str, object]],
    *,
    rules: Sequence[dict[str, object]] = (),
    interval_seconds: int = 1,
    on_line: Callable[[str], None] | None = None,
    progress: OnMessage = ignore_progress,
) -> Iterator[str]:
    """Runs a Prometheus on 127.0.0.1 for the duration of the block and yields its URL.

    `scrapes` are entries of `scrape_configs`, `rules` groups of rules. Nothing is kept after the block.

    Raises:
        EmbeddedError: it could not be built or started.
    """
    program = _prometheus_program("prometheus", progress)
    url = f"http://127.0.0.1:{free_port()}"
    interval = f"{interval_seconds}s"
    with TemporaryDirectory(prefix="prometheus-") as folder:
        rules_file, file = Path(folder, "rules.yml"), Path(folder, "prometheus.yml")
        config = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
            },
            "rule_files": [str(rules_file)],
            "scrape_configs": list(scrapes),
        }
        rules_file.write_text(json.dumps({"groups": list(rules)}), encoding="utf-8")
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is valid YAML
        command: list[str | Path] = [
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={url.removeprefix('http://')}",
        ]
        with ServerProcess("prometheus", command, on_line=on_line) as process:
            process.wait_until_ready(lambda: answers(f"{url}/-/ready"), timeout_seconds=START_TIMEOUT_SECONDS)
            yield url


def _prometheus_program(name: str, progress: OnMessage) -> Path:
    return go_program(
        name,
        _SOURCES,
        minutes=5,
        remedy=_REMEDY,
        package=f"github.com/prometheus/prometheus/cmd/{name}",
        flags=("-tags=remove_all_sd",),
        progress=progress,
    )
