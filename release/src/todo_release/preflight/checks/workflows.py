"""Checks the workflows that release: they call existing tasks, pin actions, and name one cluster."""

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml

from todo_release.config.model import FILE_NAME
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import LocatedDocument, Place, YamlPath
from todo_release.errors import ConfigError
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot

WORKFLOWS, ACTIONS = ".github/workflows/", ".github/actions/"
PROGRAMS = ("inv", "./inv")
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
VARIABLE = re.compile(r"\$\{?\w+\}?")
PINNED = re.compile(r"@[0-9a-f]{40}$")
# `CONTEXT: name` or `KUBE_CONTEXT=name`; `kubectl --context name`, `--kube-context name`, `use-context name`.
CONTEXT_NAME = re.compile(
    r"""(?:^|[\s"'{,])(?:(?:RELEASE_|CLUSTER_|K8S_)?CONTEXT|(?i:kube(?:rnetes)?[-_]?context))"""
    r"""\s*[:=]\s*["']?([^\s"',}]+)"""
    r"""|(?:\bkubectl\b.*\s--context|--kube-context|\buse-context)[\s=]+["']?([^\s"']+)"""
)
SEPARATORS = ("&&", "||", ";", "|")
Parse = Callable[[Sequence[str]], str | None]  # returns what is wrong with the arguments of a task


def _commands_are_valid(snapshot: PreflightSnapshot) -> Findings:
    """Checks the arguments of every task that a workflow calls."""
    if snapshot.parse is None:
        return
    for place, arguments in command_lines(snapshot.files):
        problem = snapshot.parse(arguments)
        if problem:
            yield error(
                place.file,
                f"inv {' '.join(arguments)} is not a valid command line: {problem}",
                "Correct it; `./inv --list` names the tasks, `./inv --help TASK` the flags of one.",
                place=place,
            )


def command_lines(files: Mapping[str, str]) -> Iterator[tuple[Place, list[str]]]:
    """Yields every call of invoke in the steps of workflows; an expression stands for one word."""
    for path, text in files.items():
        document = _parsed_workflow(path, text)
        for field, script in _scripts(document):
            place = document.place(field) or Place(path, 1, 1)
            first_line_offset = 1 if "\n" in script.rstrip("\n") else 0  # a block begins below its key
            # A continued line is joined, with a space for each character lost, so that line numbers stay.
            for number, line in enumerate(script.replace("\\\n", "  ").split("\n")):
                for arguments in _calls(line):
                    yield Place(path, place.line + first_line_offset * (number + 1), 1), arguments


def _parsed_workflow(path: str, text: str) -> LocatedDocument:
    """Returns a workflow or action; empty for other files and invalid YAML, which GitHub reports."""
    if not path.startswith((WORKFLOWS, ACTIONS)):
        return LocatedDocument({}, {})
    try:
        return yaml_positions.read(text, path)
    except (ConfigError, yaml.YAMLError):
        return LocatedDocument({}, {})


def _jobs(document: LocatedDocument) -> Mapping[str, Any]:
    jobs = document.value.get("jobs") if isinstance(document.value, dict) else {}
    return jobs or {}


def _steps(document: LocatedDocument) -> Iterator[tuple[YamlPath, Mapping[str, Any]]]:
    """Yields every step with its path: of the jobs of a workflow, or of a composite action."""
    runs = document.value.get("runs") if isinstance(document.value, dict) else None
    parents: list[tuple[YamlPath, Any]] = [(("jobs", name), job) for name, job in _jobs(document).items()]
    for path, parent in [*parents, (("runs",), runs)]:
        steps = parent.get("steps") if isinstance(parent, dict) else ()
        for index, step in enumerate(steps or ()):
            if isinstance(step, dict):
                yield (*path, "steps", index), step


def _scripts(document: LocatedDocument) -> Iterator[tuple[YamlPath, str]]:
    for path, step in _steps(document):
        if isinstance(step.get("run"), str):
            yield (*path, "run"), step["run"]


def _calls(line: str) -> Iterator[list[str]]:
    """Yields the arguments of each `inv` in a line of shell."""
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
        command, words = words[:end], words[end + 1 :]
        start = next((index for index, word in enumerate(command) if word in PROGRAMS), None)
        if start is not None:
            yield command[start + 1 :]


def _actions_are_pinned(snapshot: PreflightSnapshot) -> Findings:
    """Checks for full commits, because tags of actions have been moved to steal the secrets of jobs."""
    for path, text in snapshot.files.items():
        document = _parsed_workflow(path, text)
        for field, action in _actions(document):
            if action and not action.startswith(("./", "$/", "docker://")) and not PINNED.search(action):
                yield warning(
                    path,
                    f"The action {action} is not pinned to a full commit.",
                    "Write the 40 digits of the commit, and the tag in a comment behind it.",
                    place=document.place(field),
                )


def _actions(document: LocatedDocument) -> list[tuple[YamlPath, str | None]]:
    """Returns every action and reusable workflow that is used, in the order of the file."""
    reused = [(("jobs", name, "uses"), job.get("uses")) for name, job in _jobs(document).items()]
    used = [((*path, "uses"), step.get("uses")) for path, step in _steps(document)]
    places = {field: document.place(field) for field, _ in (*reused, *used)}
    return sorted((*reused, *used), key=lambda item: place.line if (place := places[item[0]]) else 0)


def _cluster_has_one_name(snapshot: PreflightSnapshot) -> Findings:
    """Checks that workflows, actions and commands name the cluster of a context in release.yaml.

    A provider's tool may put a prefix before the name of the cluster in its context.
    """
    try:
        document = yaml_positions.read(snapshot.files.get(FILE_NAME, ""), FILE_NAME)
    except ConfigError:
        return
    environments = document.value.get("environments") if isinstance(document.value, dict) else {}
    contexts = {str(environment.get("context")) for environment in (environments or {}).values()}
    pattern = snapshot.config.preflight.cluster_pattern
    if any("${" in context for context in contexts):
        return
    for path, text in snapshot.files.items():
        for number, line in enumerate(text.split("\n"), start=1):
            clusters = set(re.findall(pattern, line)) if pattern else set()
            unknown = {name for name in clusters if not _is_cluster_of(name, contexts)}
            if path.startswith((WORKFLOWS, ACTIONS)):
                unknown |= set(_named_contexts(line)) - contexts - clusters
            for name in sorted(unknown):
                yield warning(
                    path,
                    f"The cluster is {name} here, {' and '.join(sorted(contexts))} in {FILE_NAME}.",
                    "Write one name everywhere.",
                    place=Place(path, number, 1),
                )


def _is_cluster_of(name: str, contexts: Collection[str]) -> bool:
    return any(context == name or context.endswith(f"-{name}") for context in contexts)


def _named_contexts(line: str) -> Iterator[str]:
    """Yields the contexts that a line names literally: as a variable, or as an argument of a program."""
    text = line.partition(" #")[0]
    for found in CONTEXT_NAME.finditer(text):
        name = next(filter(None, found.groups()))
        if "$" not in name and not name.startswith("."):
            yield name


CHECK = PreflightCheck(
    id="workflows",
    title="workflows can release",
    rules=(_commands_are_valid, _actions_are_pinned, _cluster_has_one_name),
)
