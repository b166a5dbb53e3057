"""Parses a Dockerfile into stages and checks the rules of this repository for it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Self

from dockerfile_parse import DockerfileParser

# Layers after BUILD_ID are not shared, so it is last. The user is that of the chart's pods.
LAST = ["ARG BUILD_ID=dev", "RUN", "ENV BUILD_ID=$BUILD_ID", "USER 10001:10001"]
VERSIONED = re.compile(r"[a-z0-9./-]+:\d[\w.-]*")
REMOVAL = re.compile(r"(rm|pip uninstall) ")
FLAGS = re.compile(r"((?:--\S+\s+)*)(.*)", re.DOTALL)
RELATIVE_MOUNT = re.compile(r"\btarget=(?!/)[^,\s]*")
# ADD fetches files, Kubernetes does the probes, and only CMD names the program.
UNUSED = {"ADD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD", "SHELL", "VOLUME"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and the (instruction, value) pairs after it."""

    base: str
    instructions: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Returns the values of every instruction with a name."""
        return [value for instruction, value in self.instructions if instruction == name]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The stages of a Dockerfile, their names, and its parser directives."""

    stages: tuple[Stage, ...]
    names: frozenset[str]
    directives: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses the text of a Dockerfile."""
        stages: list[tuple[str, list[tuple[str, str]]]] = []
        names, directives = set(), []
        for line in DockerfileParser(fileobj=BytesIO(text.encode()), env_replace=False).structure:
            match line["instruction"], line["value"]:
                case "COMMENT", value:
                    directives += [value] if value.startswith("syntax=") else []
                case "FROM", value:
                    base, *name = re.split(r"\s+as\s+", value, flags=re.IGNORECASE)
                    names.update(name)
                    stages.append((base, []))
                case instruction, value:
                    stages[-1][1].append((instruction, value))
        return cls(
            tuple(Stage(base, tuple(lines)) for base, lines in stages), frozenset(names), tuple(directives)
        )

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]

    def sources(self) -> tuple[str, ...]:
        """Returns the paths that are copied from the build context."""
        copies = [_split(value) for stage in self.stages for value in stage.values("COPY")]
        return tuple(
            source for flags, paths in copies if "--from=" not in flags for source in paths.split()[:-1]
        )


def violations(dockerfile: Dockerfile) -> list[str]:
    """Returns the violated rules as sentences."""
    final = dockerfile.final
    bases = [stage.base for stage in dockerfile.stages if stage.base not in dockerfile.names]
    violated = [f"{base} is named without a version" for base in bases if not VERSIONED.fullmatch(base)]
    violated += [f"{directive} would be fetched by every build" for directive in dockerfile.directives]
    if len(dockerfile.stages) == 1:
        violated.append("what builds the image stays in it: there is one stage")
    used = {name for stage in dockerfile.stages for name, _ in stage.instructions}
    violated += [f"{name} is not for our images" for name in sorted(used & UNUSED)]
    violated += [
        f"`{command}` does more than remove" for command in _commands(final) if not REMOVAL.match(command)
    ]
    runs = [value for stage in dockerfile.stages for value in stage.values("RUN")]
    violated += [
        f"Buildah refuses the mount {mount}"
        for run in runs
        for mount in RELATIVE_MOUNT.findall(_split(run)[0])
    ]
    last = [name if name == "RUN" else f"{name} {value}" for name, value in final.instructions[-len(LAST) :]]
    if last != LAST:
        violated.append(f"it ends with {last}, not with {LAST}")
    violated += [f"CMD {value} starts a shell" for value in final.values("CMD") if not _is_list(value)]
    return violated


def missing(dockerfile: Dockerfile, names: Iterable[str]) -> list[str]:
    """Returns the sources that the Dockerfile copies and the build context does not have."""
    return [source for source in dockerfile.sources() if not any(_holds(source, name) for name in names)]


def unused(dockerfile: Dockerfile, names: Iterable[str]) -> list[str]:
    """Returns the files of the build context that are never copied, are tests, or are documents."""
    return [
        name
        for name in names
        if not any(_holds(source, name) for source in dockerfile.sources())
        or "tests" in PurePosixPath(name).parts
        or name.endswith(".md")
    ]


def _holds(source: str, name: str) -> bool:
    return PurePosixPath(name).is_relative_to(source)


def _split(value: str) -> tuple[str, str]:
    """Splits the leading flags from the value of an instruction."""
    flags, rest = FLAGS.findall(value)[0]
    return flags, rest


def _commands(stage: Stage) -> list[str]:
    scripts = [_split(value)[1] for value in stage.values("RUN")]
    return [command.strip() for script in scripts for command in re.split(r"&&|\|\|?|;", script)]


def _is_list(value: str) -> bool:
    try:
        return isinstance(json.loads(value), list)
    except ValueError:
        return False
