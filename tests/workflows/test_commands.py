"""Every command that a workflow, a document or a message of the engine names can be typed as it stands."""

import re
from pathlib import Path

import pytest

from .commands import inv_mistake, named_sessions, nox_mistake
from .rules import Automation
from .shell import blocks, calls, spans
from .tree import ACTIONS, DOCUMENTS, SOURCES, WORKFLOWS, name_of

NAMED_IN_MESSAGE = re.compile(r"`(?:\./)?inv ([^`]+)`")
FILLED_IN = re.compile(r"\{[^{}]*\}")


def of_markdown(text: str) -> list[str]:
    """What is wrong with the commands of a document."""
    found = [(call, True) for block in blocks(text) for call in calls(block, "inv")]
    found += [(call, False) for span in spans(text) for call in calls(span, "inv")]
    told = [(call, inv_mistake(call, is_whole=is_whole)) for call, is_whole in found]
    sessions = [call for part in (*blocks(text), *spans(text)) for call in calls(part, "nox")]
    told += [(call, nox_mistake(call)) for call in sessions]
    return [f"{' '.join(call)}: {mistake}" for call, mistake in told if mistake]


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_commands_of_a_workflow_can_be_run(path: Path) -> None:
    """Tasks and their options exist, none that is required is missing."""
    runs = [step["run"] for step in Automation(path.read_text()).steps if "run" in step]
    assert [call for run in runs for call in calls(run, "inv") if inv_mistake(call)] == []
    assert [call for run in runs for call in calls(run, "nox") if nox_mistake(call)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_of_a_document_can_be_typed(path: Path) -> None:
    """In blocks as a whole, in sentences at least by name."""
    assert of_markdown(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_commands_of_a_message_can_be_typed(path: Path) -> None:
    """What the engine tells a person to run next."""
    named = NAMED_IN_MESSAGE.findall(path.read_text(encoding="utf-8"))
    calls_of = [FILLED_IN.sub("X", one).split() for one in named]
    assert [call for call in calls_of if inv_mistake(call, is_whole=False)] == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("relaese --version 1.0.0", "No idea what 'relaese' is!"),
        ("release --version 1.0.0 --force", "No idea what '--force' is!"),
        ("plan --forse", "No idea what '--forse' is!"),
        ("--help relaese", "No idea what 'relaese' is!"),
        ("release", "'release' did not receive required positional arguments: 'version'"),
        ("diagnose --env test", "--env test is none of production, staging"),
        ("version.bump --kind huge", "--kind huge is none of major, minor, patch, prerelease"),
    ],
)
def test_wrong_task_is_told(call: str, told: str) -> None:
    """Invoke's own words where it has any."""
    assert inv_mistake(call.split()) == told


@pytest.mark.parametrize(
    "call",
    [
        ["release", "--version", "$VERSION", "--to", "staging", "--yes"],
        ["rollback", "--env", "$ENVIRONMENT", "--version", "", "--service", "", "--yes"],
        ["version"],
        ["--list"],
        ["--help", "release"],
    ],
    ids=" ".join,
)
def test_right_task_is_accepted(call: list[str]) -> None:
    """Variables stand for values, also for empty ones."""
    assert inv_mistake(call) is None


def test_a_sentence_may_name_a_task_without_its_options() -> None:
    """But not a task or an option that does not exist."""
    assert inv_mistake(["plan"], is_whole=False) is None
    assert inv_mistake(["plan", "--forse"], is_whole=False) == "No idea what '--forse' is!"


def test_wrong_session_is_told() -> None:
    """Also that of a parameter."""
    assert nox_mistake(["-s", "lint", "tests(todo-release)", "--", "-k", "x"]) is None
    assert nox_mistake(["-s", "lint", "typos"]) == "no session is called typos"
    assert nox_mistake(["-s", "tests(todo)"]) == "no session is called tests(todo)"
    assert named_sessions(["-s", "lint", "types", "-r", "--", "up"]) == ["lint", "types"]


def test_commands_are_found_wherever_shell_has_them() -> None:
    """After prompts, over lines, in substitutions; up to where they end."""
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


def test_wrong_commands_of_a_document_are_told() -> None:
    """In blocks, consoles and sentences; what a program printed is no command."""
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
    assert of_markdown(text) == [
        "deploy --env staging: 'deploy' did not receive required positional arguments: 'version'",
        "plans: No idea what 'plans' is!",
        "stauts: No idea what 'stauts' is!",
        "-s spell: no session is called spell",
    ]
