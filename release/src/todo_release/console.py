"""The commands as a program, `todo-release`: for repositories without invoke."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from inspect import Parameter
from pathlib import Path

from todo_release.command_declarations import COMMANDS, REPEATABLE, Command, UsageError, find_root

PROGRAM = "todo-release"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments name and returns its exit code.

    Raises:
        SystemExit: the arguments are wrong, or only ask for help or the program's version.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Plans, checks, runs and undoes releases, as release.yaml describes them."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version(PROGRAM)}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        _add(subparsers.add_parser(command.name, help=command.summary, description=command.summary), command)
    stated = vars(parser.parse_args(arguments))
    command, subparser = stated.pop("command_of_program"), stated.pop("parser_of_command")
    if empty := next((name for name, value in stated.items() if _is_lost(name, value)), None):
        subparser.error(f"argument --{empty.replace('_', '-')}: expected one argument")
    try:
        code: int = command.run(find_root(Path.cwd()), stated)
    except UsageError as error:
        subparser.error(str(error))
    return code


def _is_lost(name: str, value: object) -> bool:
    """Returns whether argparse has lost a value, as Python before 3.13 does with the one of `--option=--`."""
    return [] in value if name in REPEATABLE and isinstance(value, list) else value == []


def _add(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.set_defaults(command_of_program=command, parser_of_command=parser)
    for parameter in command.parameters:
        option = parameter.name.replace("_", "-")
        text = command.option_help.get(option)
        is_required = parameter.default is Parameter.empty
        if isinstance(parameter.default, bool):
            parser.add_argument(f"--{option}", action="store_true", help=text)
        elif parameter.name in REPEATABLE:
            parser.add_argument(f"--{option}", action="append", default=[], help=text)
        elif isinstance(parameter.default, int):
            parser.add_argument(f"--{option}", type=int, default=parameter.default, help=text)
        else:
            default = None if is_required else parameter.default
            parser.add_argument(f"--{option}", required=is_required, default=default, help=text)


if __name__ == "__main__":
    sys.exit(main())
