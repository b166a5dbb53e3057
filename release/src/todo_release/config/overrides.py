"""What one run overrides in release.yaml, by flags and by environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from todo_release.core.yaml_positions import LocatedDocument
from todo_release.errors import ConfigError

PREFIX = "RELEASE_"


@dataclass(frozen=True, slots=True)
class Overrides:
    """Values laid over release.yaml: first `files` (partial release.yaml files), then the single values."""

    files: tuple[Path, ...] = ()
    registry: str | None = None
    is_insecure: bool | None = None
    context: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def over(self, other: "Overrides") -> "Overrides":
        """Returns these overrides, completed by `other` where they say nothing."""
        return replace(
            other,
            files=(*other.files, *self.files),
            registry=self.registry or other.registry,
            is_insecure=other.is_insecure if self.is_insecure is None else self.is_insecure,
            context=self.context or other.context,
            variables={**other.variables, **self.variables},
            values={**other.values, **self.values},
        )

    def document(self, base: Mapping[str, Any]) -> LocatedDocument:
        """Returns the single values in the shape of release.yaml; `base` is the document below them.

        What is wrong with `base` is left to its validation.

        Raises:
            ConfigError: There are values files for an environment that `base` does not have.
        """
        document: dict[str, Any] = {}
        registry = {"repository": self.registry, "insecure": self.is_insecure}
        if settings := {key: value for key, value in registry.items() if value is not None}:
            document["registry"] = settings
        if self.variables:
            document["variables"] = dict(self.variables)
        environments = base.get("environments")
        if not isinstance(environments, dict):
            return LocatedDocument(document, {})
        changes: dict[str, dict[str, Any]] = {name: {} for name in environments}
        if self.context:
            for change in changes.values():
                change["context"] = self.context
        for name, files in self.values.items():
            if name not in changes:
                raise ConfigError(
                    f"Values files were given for the environment {name!r}, which does not exist.",
                    remedy=f"Choose one of: {', '.join(map(str, environments))}.",
                )
            settings = environments[name] if isinstance(environments[name], dict) else {}
            known = settings.get("values")
            changes[name]["values"] = [*(known if isinstance(known, list) else ()), *files]
        if any(changes.values()):
            document["environments"] = changes
        return LocatedDocument(document, {})


def from_environment(environ: Mapping[str, str]) -> Overrides:
    """Returns the overrides that environment variables hold.

    They are RELEASE_CONFIG, RELEASE_REGISTRY, RELEASE_REGISTRY_INSECURE, RELEASE_CONTEXT, RELEASE_VAR_<name>
    and RELEASE_VALUES_<environment>. RELEASE_CONFIG and RELEASE_VALUES_* hold paths separated by `:`. Names
    of variables and environments are taken in lower case.

    Raises:
        ConfigError: RELEASE_REGISTRY_INSECURE is neither true nor false.
    """
    insecure = environ.get(f"{PREFIX}REGISTRY_INSECURE")
    if insecure not in {None, "", "true", "false"}:
        raise ConfigError(f"{PREFIX}REGISTRY_INSECURE is {insecure!r}.", remedy="Set it to true or false.")
    return Overrides(
        files=tuple(Path(part) for part in environ.get(f"{PREFIX}CONFIG", "").split(":") if part),
        registry=environ.get(f"{PREFIX}REGISTRY") or None,
        is_insecure={"true": True, "false": False}.get(insecure or ""),
        context=environ.get(f"{PREFIX}CONTEXT") or None,
        variables=_named(environ, f"{PREFIX}VAR_"),
        values={
            name.replace("_", "-"): tuple(part for part in paths.split(":") if part)
            for name, paths in _named(environ, f"{PREFIX}VALUES_").items()
        },
    )


def _named(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in environ.items()
        if name.startswith(prefix) and value
    }
