"""The way of a release itself: workflows call tasks that exist, actions are pinned, one cluster has one
name.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from todo_release.config.model import FILE_NAME
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Located, Place
from todo_release.errors import ConfigError
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot

WORKFLOWS = ".github/workflows/"
PROGRAMS = ("inv", "./inv")
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
VARIABLE = re.compile(r"\$\{?\w+\}?")
PINNED = re.compile(r"@[0-9a-f]{40}$")
KUBECONFIG = re.compile(r"kubeconfig save (?:--\S+ )*([a-z0-9][a-z0-9-]*)")
SEPARATORS = ("&&", "||", ";", "|")
Parse = Callable[[Sequence[str]], str | None]


def _commands_are_known(snapshot: PreflightSnapshot) -> Findings:
    """Every call of a task in a workflow is one that the tasks take."""
    if snapshot.parse is None:
        return
    for place, arguments in command_lines(snapshot.files):
        problem = snapshot.parse(arguments)
        if problem:
            yield error(
                place.file,
                f"inv {' '.join(arguments)} is no command line of the tasks: {problem}",
                "Correct it; `./inv --list` names the tasks, `./inv --help` with one of them its flags.",
                place=place,
            )


def command_lines(files: Mapping[str, str]) -> Iterator[tuple[Place, list[str]]]:
    """Every call of invoke in the steps of workflows, with its place; expressions stand for one word."""
    for path, text in files.items():
        document = _workflow(path, text)
        for where, script in _scripts(document):
            place = document.place(where)
            for number, line in enumerate(script.replace("\\\n", "  ").split("\n")):
                for arguments in _calls(line):
                    start = place or Place(path, 1, 1)
                    offset = number + 1 if "\n" in script.rstrip("\n") else 0
                    yield Place(path, start.line + offset, 1), arguments


def _workflow(path: str, text: str) -> Located:
    if not path.startswith(WORKFLOWS):
        return Located({}, {})
    try:
        return yaml_positions.read(text, path)
    except (ConfigError, yaml.YAMLError):
        return Located({}, {})


def _scripts(document: Located) -> Iterator[tuple[yaml_positions.Path, str]]:
    jobs = document.value.get("jobs") if isinstance(document.value, dict) else {}
    for name, job in (jobs or {}).items():
        for index, step in enumerate(job.get("steps") or ()):
            if isinstance(step.get("run"), str):
                yield ("jobs", name, "steps", index, "run"), step["run"]


def _calls(line: str) -> Iterator[list[str]]:
    """The arguments of each `inv` in a line of shell."""
    lexer = shlex.shlex(
        VARIABLE.sub("value", EXPRESSION.sub("value", line)), posix=True, punctuation_chars=";&|"
    )
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return
    while words:
        end = next((index for index, word in enumerate(words) if word in SEPARATORS), len(words))
        part, words = words[:end], words[end + 1 :]
        begin = next((index for index, word in enumerate(part) if word in PROGRAMS), None)
        if begin is not None:
            yield part[begin + 1 :]


def _actions_are_pinned(snapshot: PreflightSnapshot) -> Findings:
    """A tag of an action can be moved, and has been, to steal what the job knows."""
    for path, text in snapshot.files.items():
        document = _workflow(path, text)
        jobs = document.value.get("jobs") if isinstance(document.value, dict) else {}
        for name, job in (jobs or {}).items():
            for where, reference in _uses(name, job):
                if (
                    reference
                    and not reference.startswith(("./", "$/", "docker://"))
                    and not PINNED.search(reference)
                ):
                    yield warning(
                        path,
                        f"The action {reference} is not pinned to a full commit.",
                        "Write the 40 digits of the commit, and the tag in a comment behind it.",
                        place=document.place(where),
                    )


def _uses(name: str, job: Mapping[str, Any]) -> Iterator[tuple[yaml_positions.Path, str | None]]:
    yield ("jobs", name, "uses"), job.get("uses")
    for index, step in enumerate(job.get("steps") or ()):
        yield ("jobs", name, "steps", index, "uses"), step.get("uses")


def _cluster_has_one_name(snapshot: PreflightSnapshot) -> Findings:
    """Workflows and bootstrap fetch credentials for the cluster that release.yaml names as context."""
    try:
        document = yaml_positions.read(snapshot.files.get(FILE_NAME, ""), FILE_NAME)
    except ConfigError:
        return
    environments = document.value.get("environments") if isinstance(document.value, dict) else {}
    contexts = {str(one.get("context")) for one in (environments or {}).values()}
    for path, text in snapshot.files.items():
        for number, line in enumerate(text.split("\n"), start=1):
            for name in KUBECONFIG.findall(line):
                # doctl names the context do-<region>-<cluster>.
                if not any(context == name or context.endswith(f"-{name}") for context in contexts):
                    yield warning(
                        path,
                        f"The cluster is called {name} here, in {FILE_NAME}"
                        f" {' and '.join(sorted(contexts))}.",
                        "Write one name everywhere.",
                        place=Place(path, number, 1),
                    )


CHECK = Check(
    id="path",
    title="the way of a release is in order",
    rules=(_commands_are_known, _actions_are_pinned, _cluster_has_one_name),
)
