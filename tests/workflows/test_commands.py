"""Every command in a workflow, a document or a message of the engine is valid."""

import re
from pathlib import Path

import pytest

from .commands import inv_error, named_sessions, nox_error
from .rules import Automation
from .shell import blocks, calls, spans
from .tree import ACTIONS, DOCUMENTS, SOURCES, WORKFLOWS, name_of

NAMED_IN_MESSAGE = re.compile(r"`(?:\./)?inv ([^`]+)`")
FILLED_IN = re.compile(r"\{[^{}]*\}")


def errors_in(text: str) -> list[str]:
    """Returns the invalid commands of a document, with their errors."""
    results = [(call, inv_error(call)) for block in blocks(text) for call in calls(block, "inv")]
    in_sentences = [call for span in spans(text) for call in calls(span, "inv")]
    results += [(call, inv_error(call, is_whole=False)) for call in in_sentences]
    nox_calls = [call for part in (*blocks(text), *spans(text)) for call in calls(part, "nox")]
    results += [(call, nox_error(call)) for call in nox_calls]
    return [f"{' '.join(call)}: {error}" for call, error in results if error]


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_commands_of_a_workflow_can_be_run(path: Path) -> None:
    """Tasks and options exist, and no required option is missing."""
    runs = [step["run"] for step in Automation(path.read_text()).steps if "run" in step]
    assert [call for run in runs for call in calls(run, "inv") if inv_error(call)] == []
    assert [call for run in runs for call in calls(run, "nox") if nox_error(call)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_of_a_document_are_valid(path: Path) -> None:
    """Commands in blocks are complete; commands in sentences have at least valid names."""
    assert errors_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_commands_of_a_message_are_valid(path: Path) -> None:
    """The commands that the engine tells a person to run are valid."""
    commands = NAMED_IN_MESSAGE.findall(path.read_text(encoding="utf-8"))
    split = [FILLED_IN.sub("X", command).split() for command in commands]
    assert [call for call in split if inv_error(call, is_whole=False)] == []


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("relaese --version 1.0.0", "No idea what 'relaese' is!"),
        ("release --version 1.0.0 --force", "No idea what '--force' is!"),
        ("plan --forse", "No idea what '--forse' is!"),
        ("--help relaese", "No idea what 'relaese' is!"),
        ("release --to staging", "release needs --version or --plan"),
        ("promote", "'promote' did not receive required positional arguments: 'version'"),
        ("diagnose --env test", "--env test is none of production, staging"),
        ("version.bump --kind huge", "--kind huge is none of major, minor, patch, prerelease"),
    ],
)
def test_invalid_task_call_is_reported(call: str, error: str) -> None:
    """The error is invoke's own, if it has one."""
    assert inv_error(call.split()) == error


@pytest.mark.parametrize(
    "call",
    [
        ["release", "--version", "$VERSION", "--to", "staging", "--yes"],
        ["release", "--plan", "plan.json", "--yes"],
        ["rollback", "--env", "$ENVIRONMENT", "--version", "", "--service", "", "--yes"],
        ["version"],
        ["--list"],
        ["--help", "release"],
    ],
    ids=" ".join,
)
def test_valid_task_call_is_accepted(call: list[str]) -> None:
    """Shell variables are accepted as values."""
    assert inv_error(call) is None


def test_a_sentence_may_name_a_task_without_its_options() -> None:
    """A sentence may leave out options, but must name an existing task."""
    assert inv_error(["plan"], is_whole=False) is None
    assert inv_error(["plan", "--forse"], is_whole=False) == "No idea what '--forse' is!"


def test_unknown_session_is_reported() -> None:
    """Sessions with an unknown parameter are reported too."""
    assert nox_error(["-s", "lint", "tests(todo-release)", "--", "-k", "x"]) is None
    assert nox_error(["-s", "lint", "typos"]) == "no session is called typos"
    assert nox_error(["-s", "tests(todo)"]) == "no session is called tests(todo)"
    assert named_sessions(["-s", "lint", "types", "-r", "--", "up"]) == ["lint", "types"]


def test_commands_are_found_in_shell_text() -> None:
    """Commands are found after prompts, over several lines and in substitutions."""
    text = """\
./inv plan --version 1.0.0 | tee plan.txt  # says why
A=b ./inv status && ./inv history \\
  --env staging
./inv release --version "$(./inv version.bump --kind patch)" --to staging
cd elsewhere/inv && ./nox -s "tests(todo-release)"
"""
    assert list(calls(text, "inv")) == [
        ["plan", "--version", "1.0.0"],
        ["status"],
        ["history", "--env", "staging"],
        ["release", "--version", "$(./inv version.bump --kind patch)", "--to", "staging"],
        ["version.bump", "--kind", "patch"],
    ]
    assert list(calls(text, "nox")) == [["-s", "tests(todo-release)"]]


def test_invalid_commands_of_a_document_are_reported() -> None:
    """Blocks, consoles and sentences are checked, but not the output of programs."""
    text = """\
Run `./inv plan`, then `./inv plans`.

```sh
./inv deploy --env staging
```

```console
$ ./nox -s spell
./inv nothing
```

```yaml
run: ./inv nothing
```

| a | b |
|---|---|
| `./inv stauts` | |
"""
    assert errors_in(text) == [
        "deploy --env staging: 'deploy' did not receive required positional arguments: 'version'",
        "plans: No idea what 'plans' is!",
        "stauts: No idea what 'stauts' is!",
        "-s spell: no session is called spell",
    ]
