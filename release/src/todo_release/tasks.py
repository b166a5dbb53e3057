"""The commands as invoke tasks; needs the extra `todo-release[invoke]`.

The tasks.py of a repository needs only `from todo_release.tasks import namespace`. One with tasks of its own
calls `collection` and adds them to it.
"""

import sys
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.tasks import Task, task

from todo_release.command_declarations import COMMANDS, REPEATABLE, Command, UsageError, find_root

GROUP = "version"  # the command of this name is the default of the group of the same name


def collection(root: Path | None = None) -> Collection:
    """Returns the commands as tasks, for the release.yaml of a folder.

    By default it is the nearest release.yaml, in the current folder or above it.
    """
    tasks, group = Collection(), Collection(GROUP)

    def parse(arguments: Sequence[str]) -> str | None:
        """Returns what is wrong with arguments of the tasks, None if nothing is."""
        try:
            Parser(contexts=tasks.to_contexts()).parse_argv(list(arguments))
        except ParseError as error:
            return str(error)
        return None

    for command in COMMANDS:
        made = _task(command, root, parse)
        if command.name.partition(".")[0] != GROUP:
            tasks.add_task(made, command.name)
        elif command.name == GROUP:
            group.add_task(made, "show", default=True)
        else:
            group.add_task(made, command.name.partition(".")[2])
    tasks.add_collection(group)
    return tasks


def _task(
    command: Command, root: Path | None, parse: Callable[[Sequence[str]], str | None]
) -> "Task[Callable[..., None]]":
    def body(_: Context, **arguments: Any) -> None:
        try:
            code = command.run(root or find_root(Path.cwd()), arguments, parse)
        except UsageError as error:
            raise ParseError(str(error)) from error
        sys.exit(code)

    context = Parameter("_", Parameter.POSITIONAL_ONLY)
    body.__name__ = command.function.__name__
    body.__doc__ = command.function.__doc__
    body.__signature__ = Signature([context, *command.parameters])  # type: ignore[attr-defined]  # invoke reads it
    decorated: Task[Callable[..., None]] = task(help=command.option_help, iterable=REPEATABLE)(body)
    return decorated


namespace = collection()
