"""Reads release.yaml with its overrides and reports every mistake with file, line and column."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from todo_release.config.model import FILE_NAME, Config
from todo_release.config.overrides import Overrides
from todo_release.config.schema import schema
from todo_release.core import yaml_positions
from todo_release.errors import ConfigError

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def load(root: Path, overrides: Overrides | None = None) -> Config:
    """Read release.yaml at the root of a repository, lay the overrides over it and check the whole.

    Raises:
        ConfigError: every kind of mistake, with file, line and column where it has a place; the first one of
            several is raised and the others are listed in its problem.
    """
    overrides = overrides or Overrides()
    path = root / FILE_NAME
    if not path.is_file():
        raise ConfigError(f"There is no {FILE_NAME} in {root}.", remedy="Run in the root of the repository.")
    document = yaml_positions.read(path.read_text(encoding="utf-8"), FILE_NAME)
    for file in overrides.files:
        if not file.is_file():
            raise ConfigError(f"The overlay {file} does not exist.", remedy="Check its path.")
        document = yaml_positions.merge(
            document, yaml_positions.read(file.read_text(encoding="utf-8"), str(file))
        )
    if not isinstance(document.value, dict):
        raise ConfigError(
            f"{FILE_NAME} is not a mapping.", remedy="See docs/release.schema.json.", file=FILE_NAME
        )
    document = yaml_positions.merge(document, overrides.document(document.value))
    document = yaml_positions.Located(_substitute(document), document.places)
    config = _validate(document)
    _check_links(config, document)
    return config


def _substitute(document: yaml_positions.Located) -> Any:
    raw = document.value.get("variables") or {}
    variables = {str(name): str(value) for name, value in raw.items()} if isinstance(raw, dict) else {}

    def replace(value: Any, path: yaml_positions.Path) -> Any:
        if isinstance(value, dict):
            return {key: replace(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [replace(inner, (*path, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        unknown = [name for name in VARIABLE.findall(value) if name not in variables]
        if unknown:
            raise _error(
                document,
                path,
                f"${{{unknown[0]}}} is not a variable.",
                f"Add it under variables; there are: {', '.join(sorted(variables)) or 'none'}.",
            )
        return VARIABLE.sub(lambda found: variables[found.group(1)], value)

    return replace(document.value, ())


def _validate(document: yaml_positions.Located) -> Config:
    try:
        return Config.model_validate(document.value)
    except ValidationError as error:
        problems = [_problem(document, each["loc"], each["type"], each["msg"]) for each in error.errors()]
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


def _check_links(config: Config, document: yaml_positions.Located) -> None:
    """What no type can say: names that must exist, and places that only one may write to."""
    for name, environment in config.environments.items():
        path = ("environments", name, "requires")
        seen, required = [name], environment.requires
        while required is not None:
            if required not in config.environments:
                known = ", ".join(config.environments)
                raise _error(
                    document, path, f"There is no environment {required!r}.", f"Use one of: {known}."
                )
            if required in seen:
                circle = " -> ".join([*seen, required])
                raise _error(
                    document, path, f"Environments require each other: {circle}.", "Break the circle."
                )
            seen.append(required)
            required = config.environments[required].requires
    written: dict[str, str] = {}
    for name, image in config.images.items():
        if image.values in written:
            problem = f"The images {written[image.values]} and {name} are both written to {image.values}."
            raise _error(document, ("images", name, "values"), problem, "Give each a place of its own.")
        written[image.values] = name


def _problem(
    document: yaml_positions.Located, loc: yaml_positions.Path, kind: str, message: str
) -> ConfigError:
    # pydantic marks a mistake in a key, not its value, by "[key]" at the end of the path.
    path = tuple(part for part in loc if part != "[key]")
    name = ".".join(str(part) for part in path)
    if kind == "extra_forbidden":
        known = _siblings(path)
        hint = f"Remove it, or use one of: {', '.join(known)}." if known else "Remove it."
        return _error(document, path, f"The key {name!r} is not known.", hint)
    if kind == "missing":
        return _error(document, path, f"The key {name!r} is missing.", "Add it.")
    shown = f"{name}: " if name else ""
    return _error(document, path, f"{shown}{message.removeprefix('Value error, ')}.", "Correct the value.")


def _siblings(path: yaml_positions.Path) -> tuple[str, ...]:
    model: Any = schema()
    definitions = model["$defs"]
    for part in path[:-1]:
        model = _follow(model, part, definitions)
        if model is None:
            return ()
    return tuple(model.get("properties", ()))


def _follow(model: Mapping[str, Any], part: str | int, definitions: Mapping[str, Any]) -> Any:
    inner = (
        model.get("items")
        if isinstance(part, int)
        else model.get("properties", {}).get(part)
        or model.get("additionalProperties")
        or next(iter(model.get("patternProperties", {}).values()), None)
    )
    if not isinstance(inner, dict):
        return None
    candidates = [inner, *inner.get("anyOf", ()), *inner.get("allOf", ())]
    for candidate in candidates:
        if "$ref" in candidate:
            return definitions[candidate["$ref"].rpartition("/")[2]]
    return inner


def _error(
    document: yaml_positions.Located, path: yaml_positions.Path, problem: str, remedy: str
) -> ConfigError:
    place = document.place(path)
    return ConfigError(
        problem,
        remedy=remedy,
        file=place.file if place else FILE_NAME,
        line=place.line if place else None,
        column=place.column if place else None,
    )
