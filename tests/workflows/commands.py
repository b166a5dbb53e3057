"""The commands that tasks.py and noxfile.py offer, and checks of calls against them."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType

from invoke.exceptions import ParseError
from invoke.parser import Parser, ParserContext
from invoke.program import Program

from .tree import RELEASE, ROOT

KINDS = {"major", "minor", "patch", "prerelease"}
# Placeholders for values in documents.
PLACEHOLDERS = {"ENV", "ENVIRONMENT", "TASK", "X"}


@cache
def _tasks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def task_names() -> list[str]:
    """Returns the shortest name of every task."""
    return [min([context.name, *context.aliases], key=len) for context in _tasks().namespace.to_contexts()]


def inv_error(arguments: Sequence[str], *, is_whole: bool = True) -> str | None:
    """Returns the error of invoke's parser for a call of `./inv`; None for a valid call.

    With `is_whole` False required options may be missing, as in a sentence that only names a command.
    """
    # Contexts keep the values of a call, so each call needs new ones.
    contexts = {
        name: context
        for context in _tasks().namespace.to_contexts()
        for name in (context.name, *context.aliases)
    }
    try:
        # Two passes, as in invoke's own program.
        core = Parser(initial=Program().initial_context, ignore_unknown=True).parse_argv(list(arguments))
        task = core[0].args["help"].value
        if isinstance(task, str) and task not in contexts.keys() | PLACEHOLDERS:
            return f"No idea what {task!r} is!"
        words = core.unparsed if is_whole else _filled(core.unparsed, contexts)
        parsed = Parser(contexts=set(contexts.values())).parse_argv(words)
    except ParseError as error:
        return str(error)
    errors = [*map(_value_error, parsed), *(map(_choice_error, parsed) if is_whole else ())]
    return next(filter(None, errors), None)


def _filled(words: Sequence[str], contexts: Mapping[str, ParserContext]) -> list[str]:
    """Returns a call with a value for each required option that is missing."""
    if not words or words[0] not in contexts:
        return list(words)
    required = [f"--{argument.name}" for argument in contexts[words[0]].positional_args]
    missing = [option for option in required if option not in words]
    return [words[0], *(part for option in missing for part in (option, "X")), *words[1:]]


def _value_error(context: ParserContext) -> str | None:
    for argument in context.positional_args:
        if str(argument.value).startswith("-"):
            return f"No idea what {str(argument.value)!r} is!"  # invoke reads it as the value
    for name, known in (("env", set(RELEASE["environments"])), ("kind", KINDS)):
        value = context.args[name].value if name in context.args else None
        if value and not value.startswith("$") and value not in known | PLACEHOLDERS:
            return f"--{name} {value} is none of {', '.join(sorted(known))}"
    return None


def _choice_error(context: ParserContext) -> str | None:
    if context.name == "release" and not any(context.args[name].value for name in ("version", "plan")):
        return "release needs --version or --plan"
    return None


@cache
def _listed() -> tuple[dict[str, str], ...]:
    command = [sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), "--list", "--json"]
    command += ["--keywords", "not nothing"]  # without keywords nox lists only the default sessions
    return tuple(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def nox_sessions() -> set[str]:
    """Returns every name that may follow `-s`: sessions, and sessions with a parameter."""
    return {name for session in _listed() for name in (session["name"], session["session"])}


def nox_error(arguments: Sequence[str]) -> str | None:
    """Returns the error in a call of `./nox`; None for a valid call."""
    known = {*nox_sessions(), "$SESSION"}
    unknown = [name for name in named_sessions(arguments) if name not in known]
    return f"no session is called {unknown[0]}" if unknown else None


def named_sessions(arguments: Iterable[str]) -> list[str]:
    """Returns the sessions that a call of `./nox` names."""
    named, is_naming = [], False
    for argument in arguments:
        if argument.startswith("-"):
            is_naming = argument in {"-s", "--session", "--sessions"}
            if argument == "--":
                break
        elif is_naming:
            named.append(argument)
    return named
