"""Command lines made at random: each ends with an exit code and one error, never with a traceback.

The command lines are the same in every run: each is made of its number.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from todo_release import console
from todo_release.command_declarations import COMMANDS, Command
from todo_release.errors import RehearsalError
from todo_release.rehearsal import run as rehearsals

from .shop import Tree

ROUNDS = 12  # of every command
USUAL = ("staging", "production", "1.0.0", "1.1.0")
UNUSUAL = (
    "", " ", "-1", "--", "=", "\n", "x" * 5000, "\udcff", "*", "[", "(?", "${domain}", ".", "/dev/null",
    "../x", "v1.0.0", "1.0.0-rc.1+b", " 1.1.0", "99999999999999999999.0.0", "٣.0.0", "staging=", "=x",
    "staging=\udcff", "staging=chart/values.yaml", "capacity=known", "nonsense=x", "missing.yaml",
    "bytes.yaml", "list.yaml", "release.yaml", "a b", "ghcr.io/a/b", "https://x", "all", "crash", "patch",
    "here",
)  # fmt: skip
KUBECONFIG = """\
contexts: [{name: here, context: {cluster: a, user: b}}]
clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: b, user: {token: t}}]
"""


def command_line(command: Command, number: int) -> list[str]:
    """Returns the arguments for a command: what it requires, and some of the rest."""
    chance = random.Random(f"{command.name} {number}")  # noqa: S311  # nothing is kept secret by it
    arguments = [command.name]
    for parameter in command.parameters:
        if parameter.default is not parameter.empty and chance.random() > 0.2:
            continue
        option = f"--{parameter.name.replace('_', '-')}"
        value = chance.choice(USUAL if chance.random() < 0.5 else UNUSUAL)
        arguments.append(option if isinstance(parameter.default, bool) else f"{option}={value}")
    return arguments


def exit_code(arguments: Sequence[str]) -> int | str | None:
    """Returns what the program ends with."""
    try:
        return console.main(arguments)
    except SystemExit as end:  # of argparse
        return end.code


@pytest.fixture
def repository(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Returns the released shop as the current folder, with a cluster that does not answer and odd files."""
    tree.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    (tree.path / "bytes.yaml").write_bytes(bytes(range(256)))
    (tree.path / "list.yaml").write_text("- a\n", encoding="utf-8")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG, encoding="utf-8")
    monkeypatch.chdir(tree.path)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    def refuse(*_: object) -> None:
        raise RehearsalError("There is no sandbox.", remedy="This is a test.")

    monkeypatch.setattr(rehearsals, "open_sandbox", refuse)
    return tree


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_any_command_line_ends_with_an_exit_code(
    repository: Tree, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """0, or the code of an error that is told in one place; 1 is left for mistakes of the engine."""
    for arguments in (command_line(command, number) for number in range(ROUNDS)):
        code = exit_code(arguments)
        told = "".join(capsys.readouterr())
        assert code == 0 or (isinstance(code, int) and code > 1), arguments
        assert told.strip(), arguments
        assert "Traceback" not in told, arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["version.bump", "--kind=huge"], "--kind huge: write one of major, minor, patch, prerelease."),
        (["watch", "--env=staging", "--minutes=-3"], "--minutes -3: write a number above 0."),
        (["status", "--values=staging"], "--values staging: write ENVIRONMENT=PATH."),
        (["history", "--env=--"], "argument --env: expected one argument"),
        (["status", "--skip=--"], "argument --skip: expected one argument"),
    ],
)
def test_invalid_option_is_a_usage_error(
    repository: Tree, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """The usage of the command is shown, and what is wrong."""
    assert exit_code(arguments) == 2
    assert told in capsys.readouterr().err
