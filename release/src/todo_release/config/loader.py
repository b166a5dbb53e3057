"""Reads release.yaml with its overrides and reports every mistake with file, line and column."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from todo_release.config import validation
from todo_release.config.image_parts import image_part
from todo_release.config.model import COMMAND_VARIABLES, FILE_NAME, Config, SmokeSettings
from todo_release.config.overrides import Overrides
from todo_release.core import text_file, yaml_positions
from todo_release.errors import ConfigError

VARIABLE = re.compile(r"\$\{([^}]*)\}")
# Keys of earlier versions, by the last two parts of their path, with what replaced them.
REPLACED_KEYS: dict[yaml_positions.YamlPath, str] = {
    ("smoke", "transaction"): "Name the program that does it under smoke.commands.",
}


def load(root: Path, overrides: Overrides | None = None) -> Config:
    """Reads release.yaml at the root of a repository, lays the overrides over it and checks the result.

    Raises:
        ConfigError: There is a mistake; file, line and column say where. Of several mistakes the first one is
            raised, and its problem lists the others.
    """
    overrides = overrides or Overrides()
    path = root / FILE_NAME
    if not path.is_file():
        raise ConfigError(f"There is no {FILE_NAME} in {root}.", remedy="Run in the root of the repository.")
    document = _read(path, FILE_NAME)
    for file in overrides.files:
        if not file.is_file():
            raise ConfigError(f"The overlay {file} does not exist.", remedy="Check its path.")
        document = yaml_positions.merge(document, _read(file, str(file)))
    if not isinstance(document.value, dict):
        raise ConfigError(
            f"{FILE_NAME} is not a mapping.", remedy="See docs/release.schema.json.", file=FILE_NAME
        )
    document = yaml_positions.merge(document, overrides.document(document.value))
    document = yaml_positions.LocatedDocument(_substitute(document), document.places)
    config = validation.validate(document, Config, file=FILE_NAME, replaced_keys=REPLACED_KEYS)
    _check_links(config, document)
    return config


def _read(path: Path, file: str) -> yaml_positions.LocatedDocument:
    return yaml_positions.read(text_file.read(path, file), file)


def _substitute(document: yaml_positions.LocatedDocument) -> Any:
    raw = document.value.get("variables") or {}
    variables = {str(name): str(value) for name, value in raw.items()} if isinstance(raw, dict) else {}
    for name in COMMAND_VARIABLES:
        if name in variables:
            raise _error(
                document,
                ("variables", name),
                f"The engine itself sets ${{{name}}} for the programs in smoke.commands.",
                "Give the variable another name.",
            )

    def replace(value: Any, path: yaml_positions.YamlPath) -> Any:
        if isinstance(value, dict):
            return {key: replace(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [replace(inner, (*path, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        known = (*variables, *(COMMAND_VARIABLES if _is_command_argument(path) else ()))
        unknown = [name for name in VARIABLE.findall(value) if name not in known]
        if unknown:
            raise _error(
                document,
                path,
                f"${{{unknown[0]}}} is not a variable.",
                _variables_hint(unknown[0], variables),
            )
        return VARIABLE.sub(lambda match: variables.get(match.group(1), match.group()), value)

    return replace(document.value, ())


def _is_command_argument(path: yaml_positions.YamlPath) -> bool:
    """Checks whether a path is `smoke.commands[].argv[]`, of all environments or of one."""
    inside = path[2:] if path[:1] == ("environments",) else path
    return len(inside) == 5 and (*inside[:2], inside[3]) == ("smoke", "commands", "argv")


def _variables_hint(unknown: str, variables: Iterable[str]) -> str:
    if unknown in COMMAND_VARIABLES:
        return "It is set only in the argv of smoke.commands."
    return f"Add it under variables; there are: {', '.join(sorted(variables)) or 'none'}."


def _check_smoke_images(config: Config, document: yaml_positions.LocatedDocument) -> None:
    """Checks that the images whose builds smoke checks expect exist."""
    owners: list[tuple[yaml_positions.YamlPath, SmokeSettings]] = [(("smoke",), config.smoke)]
    owners += [(("environments", name, "smoke"), one.smoke) for name, one in config.environments.items()]
    for path, smoke in owners:
        for index, check in enumerate(smoke.http):
            if check.build and check.build.image not in config.images:
                raise _error(
                    document,
                    (*path, "http", index, "build", "image"),
                    f"There is no image {check.build.image!r}.",
                    f"Use one of: {', '.join(config.images)}.",
                )


def _check_links(config: Config, document: yaml_positions.LocatedDocument) -> None:
    """Checks what types cannot: environments that must exist, and values that only one image may write."""
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
    _check_smoke_images(config, document)
    for index, waiver in enumerate(config.preflight.waivers):
        if waiver.environment is not None and waiver.environment not in config.environments:
            raise _error(
                document,
                ("preflight", "waivers", index, "environment"),
                f"There is no environment {waiver.environment!r}.",
                f"Use one of: {', '.join(config.environments)}.",
            )
    written: dict[str, str] = {}
    for name, image in config.images.items():
        for value in image.values:
            if value in written and image_part(value.rpartition(".")[2]) not in {"tag", "registry"}:
                problem = f"The images {written[value]} and {name} are both written to {value}."
                hint = "Give each its own values; images can share a tag and a registry only."
                raise _error(document, ("images", name, "values"), problem, hint)
            written[value] = name


def _error(
    document: yaml_positions.LocatedDocument, path: yaml_positions.YamlPath, problem: str, remedy: str
) -> ConfigError:
    return validation.error_at(document, path, problem, remedy, file=FILE_NAME)
