"""The commands as invoke tasks and as a program: both have every command with every option."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import ParseError

from todo_release import console, tasks
from todo_release.command_declarations import COMMANDS, Command, UsageError, find_root
from todo_release.session import CommandOptions

from .shop import Tree

INV = str(Path(sys.executable).with_name("inv"))


def test_every_command_is_a_task_with_the_same_options() -> None:
    """Names, options and help of a task are those of the declaration."""
    contexts = {
        name: context
        for context in tasks.namespace.to_contexts()
        for name in (context.name, *context.aliases)
    }
    assert {command.name for command in COMMANDS} <= contexts.keys()
    for command in COMMANDS:
        flags = {flag for flag in contexts[command.name].flags if flag.startswith("--")}
        assert flags == {f"--{parameter.name.replace('_', '-')}" for parameter in command.parameters}


def test_every_option_has_a_help() -> None:
    """No option is left without a word, and no help is about an option that is not there."""
    for command in COMMANDS:
        options = {parameter.name.replace("_", "-") for parameter in command.parameters}
        assert command.option_help.keys() == options, command.name


def run_in(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Runs a program in a folder and returns its result."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_tasks_file_of_another_repository_is_two_lines(tree: Tree) -> None:
    """The imported collection works from a folder below the repository's root too."""
    tree.write({"tasks.py": '"""The commands of the engine."""\nfrom todo_release.tasks import namespace\n'})
    listed = run_in(tree.path, INV, "--list")
    assert "version.next" in listed.stdout
    shown = run_in(tree.path / "web", INV, "version")
    assert (shown.returncode, "next" in shown.stdout) == (0, True)


def test_program_runs_without_invoke(tree: Tree) -> None:
    """The program needs no tasks.py, finds release.yaml above, and loads nothing of invoke."""
    program = (sys.executable, "-m", "todo_release.console")
    shown = run_in(tree.path / "web", *program, "version.bump", "--kind", "minor")
    assert (shown.returncode, shown.stdout) == (0, "0.1.0\n")
    code = "import sys, todo_release.console; sys.exit('invoke' in sys.modules)"
    assert run_in(tree.path, sys.executable, "-c", code).returncode == 0


def sample(
    root: Path,
    options: CommandOptions,
    *,
    version: str,
    to: str = "",
    lines: int = 100,
    dry_run: bool = False,
    fault: Sequence[str] | None = None,
) -> int:
    """Does nothing."""
    if to == "nowhere":
        raise UsageError("Name another environment.")
    made.append((version, to, lines, dry_run, fault, options.is_agreed, options.skip))
    return 7


made: list[tuple[Any, ...]] = []
SAMPLE = Command("sample", sample, {})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Makes `sample` the only command, and returns its calls."""
    made.clear()
    monkeypatch.setattr(console, "COMMANDS", [SAMPLE])
    monkeypatch.setattr(tasks, "COMMANDS", [SAMPLE])
    return made


def test_program_passes_every_kind_of_option(calls: list[tuple[Any, ...]]) -> None:
    """Texts, numbers, switches and repeatable options arrive, and the exit code is the command's."""
    line = "sample --version 1.0.0 --lines 5 --dry-run --fault a --fault b --yes --skip x=y"
    assert console.main(line.split()) == 7
    assert console.main(["sample", "--version", "2.0.0"]) == 7
    assert calls == [
        ("1.0.0", "", 5, True, ["a", "b"], True, ("x=y",)),
        ("2.0.0", "", 100, False, [], False, ()),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "required: COMMAND"),
        ("nothing", "invalid choice: 'nothing'"),
        ("sample", "required: --version"),
        ("sample --version 1 --lines many", "invalid int value: 'many'"),
        ("sample --version 1 --colour", "unrecognized arguments: --colour"),
        ("sample --version 1 --to nowhere", "Name another environment."),
    ],
)
def test_wrong_command_line_ends_with_2(
    calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    """The error and the usage are shown, and nothing is called."""
    with pytest.raises(SystemExit) as ended:
        console.main(line.split())
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert calls == []


def test_program_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the distribution."""
    with pytest.raises(SystemExit) as ended:
        console.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"todo-release {version('todo-release')}\n"


def test_task_turns_a_wrong_use_into_an_error_of_invoke(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """Options that contradict each other are reported as invoke reports a wrong command line."""
    made_task = tasks.collection(tmp_path)["sample"]
    common = {parameter.name: parameter.default for parameter in SAMPLE.parameters}
    common |= dict.fromkeys(("config", "values", "skip", "fault"), ())
    with pytest.raises(ParseError, match="Name another environment"):
        made_task.body(None, **common | {"version": "1.0.0", "to": "nowhere"})
    with pytest.raises(SystemExit) as ended:
        made_task.body(None, **common | {"version": "1.0.0", "to": ""})
    assert ended.value.code == 7


def test_root_is_the_nearest_folder_with_release_yaml(tree: Tree, tmp_path: Path) -> None:
    """Without one it is the folder itself, whose error names the file."""
    assert find_root(tree.path / "web") == tree.path
    assert find_root(tmp_path) == tmp_path
