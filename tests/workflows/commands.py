"""What tasks.py and noxfile.py offer, and whether a call fits it."""

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
# What may stand for a value in a text that people read.
PLACEHOLDERS = {"ENV", "ENVIRONMENT", "X"}


@cache
def _tasks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def task_names() -> list[str]:
    """Every task, by its shortest name."""
    return [min([one.name, *one.aliases], key=len) for one in _tasks().namespace.to_contexts()]


def inv_mistake(arguments: Sequence[str], *, is_whole: bool = True) -> str | None:
    """What invoke's own parser says against a call of `./inv`; None when it would run.

    `is_whole` False lets required options be left out, as a sentence does that only names a command.
    """
    # Made anew for each call, because contexts remember what they were given.
    contexts = {name: one for one in _tasks().namespace.to_contexts() for name in (one.name, *one.aliases)}
    try:
        # In two passes, as invoke's own program does.
        core = Parser(initial=Program().initial_context, ignore_unknown=True).parse_argv(list(arguments))
        asked = core[0].args["help"].value
        if isinstance(asked, str) and asked not in contexts:
            return f"No idea what {asked!r} is!"
        words = core.unparsed if is_whole else _filled(core.unparsed, contexts)
        found = Parser(contexts=set(contexts.values())).parse_argv(words)
    except ParseError as error:
        return str(error)
    return next(filter(None, map(_value_mistake, found)), None)


def _filled(words: Sequence[str], contexts: Mapping[str, ParserContext]) -> list[str]:
    """A call with something for each required option that it does not give."""
    if not words or words[0] not in contexts:
        return list(words)
    required = [f"--{one.name}" for one in contexts[words[0]].positional_args]
    return [words[0], *(part for one in required if one not in words for part in (one, "X")), *words[1:]]


def _value_mistake(context: ParserContext) -> str | None:
    for argument in context.positional_args:
        if str(argument.value).startswith("-"):
            return f"No idea what {str(argument.value)!r} is!"  # invoke takes it for the value
    for name, known in (("env", set(RELEASE["environments"])), ("kind", KINDS)):
        value = context.args[name].value if name in context.args else None
        if value and not value.startswith("$") and value not in known | PLACEHOLDERS:
            return f"--{name} {value} is none of {', '.join(sorted(known))}"
    return None


@cache
def _listed() -> tuple[dict[str, str], ...]:
    command = [sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), "--list", "--json"]
    command += ["--keywords", "not nothing"]  # else only those that run by default
    return tuple(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def nox_sessions() -> set[str]:
    """Everything that may follow `-s`: sessions, and those of one parameter."""
    return {name for one in _listed() for name in (one["name"], one["session"])}


def nox_mistake(arguments: Sequence[str]) -> str | None:
    """What is wrong with a call of `./nox`; None when nothing is."""
    unknown = [one for one in named_sessions(arguments) if one not in nox_sessions() and one != "$SESSION"]
    return f"no session is called {unknown[0]}" if unknown else None


def named_sessions(arguments: Iterable[str]) -> list[str]:
    """The sessions that a call of `./nox` names."""
    named, is_naming = [], False
    for argument in arguments:
        if argument.startswith("-"):
            is_naming = argument in {"-s", "--session", "--sessions"}
            if argument == "--":
                break
        elif is_naming:
            named.append(argument)
    return named
