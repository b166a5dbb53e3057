"""Validates a document against a model and words every mistake with its file, line and column."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from todo_release.core import yaml_positions
from todo_release.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)


def validate(
    document: yaml_positions.LocatedDocument,
    model: type[Settings],
    *,
    file: str,
    replaced_keys: Mapping[yaml_positions.YamlPath, str] | None = None,
) -> Settings:
    """Returns the document as an instance of a model.

    Args:
        document: The document, with the place of each value.
        model: Its class.
        file: The name that an error shows for what has no place.
        replaced_keys: Keys of earlier versions, by the last two parts of their path, with what replaced them.

    Raises:
        ConfigError: There is a mistake. Of several the first one is raised, and its problem lists the others.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        problems = [
            error_at(
                document,
                _path_of(mistake["loc"]),
                *_words(
                    _path_of(mistake["loc"]), mistake["type"], mistake["msg"], (model, replaced_keys or {})
                ),
                file=file,
            )
            for mistake in error.errors()
        ]
        problems.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
        first, *others = problems
        if not others:
            raise first from error
        listed = "".join(f"\n  {other}" for other in others)
        raise ConfigError(
            f"{first.problem} {first.remedy} {len(others)} more:{listed}",
            remedy="Correct them all.",
            file=first.file,
            line=first.line,
            column=first.column,
        ) from error


def error_at(
    document: yaml_positions.LocatedDocument,
    path: yaml_positions.YamlPath,
    problem: str,
    remedy: str,
    *,
    file: str,
) -> ConfigError:
    """Returns an error with the place of the value at a path; `file` is shown where there is none."""
    place = document.place(path)
    return ConfigError(
        problem,
        remedy=remedy,
        file=place.file if place else file,
        line=place.line if place else None,
        column=place.column if place else None,
    )


def _path_of(loc: yaml_positions.YamlPath) -> yaml_positions.YamlPath:
    """Returns the path of a mistake; pydantic marks one in a key, not its value, by "[key]" at the end."""
    return tuple(part for part in loc if part != "[key]")


def _words(
    path: yaml_positions.YamlPath,
    kind: str,
    message: str,
    known: tuple[type[BaseModel], Mapping[yaml_positions.YamlPath, str]],
) -> tuple[str, str]:
    """Returns problem and remedy of a mistake; `known` are the model and the replaced keys."""
    model, replaced_keys = known
    name = ".".join(str(part) for part in path)
    if kind == "extra_forbidden" and (replacement := replaced_keys.get(path[-2:])):
        return f"The key {name!r} is no longer known.", replacement
    if kind == "extra_forbidden":
        siblings = _siblings(path, model)
        remedy = f"Remove it, or use one of: {', '.join(siblings)}." if siblings else "Remove it."
        return f"The key {name!r} is not known.", remedy
    if kind == "missing":
        return f"The key {name!r} is missing.", "Add it."
    shown = f"{name}: " if name else ""
    return f"{shown}{message.removeprefix('Value error, ')}.", "Correct the value."


def _siblings(path: yaml_positions.YamlPath, model: type[BaseModel]) -> tuple[str, ...]:
    """Returns the keys that the document may have beside the last key of a path."""
    parent: Any = model
    for part in path[:-1]:
        parent = _value_type(parent, part)
    unwrapped = _unwrapped(parent)
    if not _is_model(unwrapped):
        return ()
    return tuple(field.alias or name for name, field in unwrapped.model_fields.items())


def _value_type(container: Any, key: str | int) -> Any:
    """Returns the type of a key's value in a model, mapping or sequence; None where there is no such key."""
    container = _unwrapped(container)
    if _is_model(container):
        fields = container.model_fields.items()
        return next((field.annotation for name, field in fields if key in {name, field.alias}), None)
    arguments = get_args(container)
    if get_origin(container) is dict:
        return arguments[1]
    return arguments[0] if get_origin(container) is tuple else None


def _unwrapped(annotation: Any) -> Any:
    """Returns `X` for `X | None` and for an annotated `X`."""
    if get_origin(annotation) in {Union, UnionType}:
        return next(argument for argument in get_args(annotation) if argument is not NoneType)
    return _unwrapped(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
