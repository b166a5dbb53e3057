"""The commands for the cluster as invoke tasks."""

import subprocess
import sys
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.program import Program

from todo_cluster import tasks
from todo_cluster.command import ClusterOptions


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ClusterOptions, str]]:
    """The calls of a declared command, which ends with exit code 7."""
    made: list[tuple[Path, ClusterOptions, str]] = []

    def probe(root: Path, options: ClusterOptions, *, env: str) -> int:
        """Says what it was called with."""
        made.append((root, options, env))
        return 7

    monkeypatch.setattr(tasks, "COMMANDS", [("probes.one", probe, {"env": "an environment"})])
    return made


def test_command_is_a_task_of_its_group_with_the_common_options(
    calls: list[tuple[Path, ClusterOptions, str]], tmp_path: Path
) -> None:
    """A dotted name makes a group; own and common options arrive, and the exit code is the program's."""
    namespace = Collection()
    tasks.add_to(namespace, tmp_path)
    arguments = "inv probes.one --env staging --cluster-config a.yaml --config b.yaml --yes"
    with pytest.raises(SystemExit) as ended:
        Program(namespace=namespace).run(arguments, exit=False)
    assert ended.value.code == 7
    [(root, options, env)] = calls
    assert (root, env) == (tmp_path, "staging")
    assert options.cluster_files == (Path("a.yaml"),)
    assert options.release_overrides.files == (Path("b.yaml"),)
    assert options.is_agreed


def test_declaring_commands_loads_nothing_slow() -> None:
    """A list of the commands need not wait for pydantic or a client of Kubernetes."""
    program = "import sys, todo_cluster.tasks; print(sorted({'pydantic', 'urllib3'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
