"""Reads the options that every command takes from what a command line states."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from todo_release.config.overrides import Overrides
from todo_release.report.reporter import Output
from todo_release.session import CommandOptions

if TYPE_CHECKING:
    from todo_release.preflight.checks.workflows import Parse


def options(
    *,
    config: Sequence[str] = (),
    registry: str | None = None,
    context: str | None = None,
    variables: Mapping[str, str | None] | None = None,
    values: Sequence[str] = (),
    output: Output = "auto",
    yes: bool = False,
    overwrite_edits: bool = False,
    wait: bool = True,
    skip: Sequence[str] = (),
    parse: "Parse | None" = None,
) -> CommandOptions:
    """Returns the options that a command line states; None and empty values state nothing.

    Relative paths are relative to the current folder.

    Args:
        config: Partial release.yaml files.
        variables: Values that replace those of the same name in release.yaml.
        values: Extra values files, as `ENVIRONMENT=PATH`.
        skip: Preflight checks whose errors do not count, as `CHECK=REASON`.
        parse: Returns what is wrong with arguments of the tasks, None if nothing is; preflight checks the
            commands in workflows with it.

    Raises:
        ValueError: an item of `values` has another form.
    """
    files: dict[str, tuple[str, ...]] = {}
    for item in values:
        environment, equals, path = item.partition("=")
        if not equals:
            raise ValueError(f"--values {item}: write ENVIRONMENT=PATH.")
        files[environment] = (*files.get(environment, ()), str(Path(path).resolve()))
    overrides = Overrides(
        files=tuple(Path(path) for path in config),
        registry=registry or None,
        context=context or None,
        variables={name: value for name, value in (variables or {}).items() if value},
        values=files,
    )
    return CommandOptions(
        overrides=overrides,
        output=output,
        is_agreed=yes,
        overwrites_edits=overwrite_edits,
        can_wait=wait,
        skip=tuple(skip),
        parse=parse,
    )
