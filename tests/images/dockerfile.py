"""A Dockerfile as its stages, and the rules of the house that can be read off it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Self

from dockerfile_parse import DockerfileParser

# Nothing that is to be shared may follow BUILD_ID, and the user is the one that the chart's pods run as.
LAST = ["ARG BUILD_ID=dev", "RUN", "ENV BUILD_ID=$BUILD_ID", "USER 10001:10001"]
VERSIONED = re.compile(r"[a-z0-9./-]+:\d[\w.-]*")
REMOVAL = re.compile(r"(rm|pip uninstall) ")
FLAGS = re.compile(r"((?:--\S+\s+)*)(.*)", re.DOTALL)
RELATIVE_MOUNT = re.compile(r"\btarget=(?!/)[^,\s]*")
# ADD fetches, probes are Kubernetes', and what an image runs is in one place.
UNUSED = {"ADD", "ENTRYPOINT", "HEALTHCHECK", "ONBUILD", "SHELL", "VOLUME"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it, as (instruction, value)."""

    base: str
    instructions: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Values of every instruction of that name."""
        return [value for instruction, value in self.instructions if instruction == name]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """All stages, and the names that some have."""

    stages: tuple[Stage, ...]
    names: frozenset[str]
    directives: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a Dockerfile."""
        stages: list[tuple[str, list[tuple[str, str]]]] = []
        names, directives = set(), []
        for each in DockerfileParser(fileobj=BytesIO(text.encode()), env_replace=False).structure:
            match each["instruction"], each["value"]:
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
        """What becomes the image."""
        return self.stages[-1]

    def sources(self) -> tuple[str, ...]:
        """Paths that are copied from the build context."""
        copies = [_split(value) for stage in self.stages for value in stage.values("COPY")]
        return tuple(
            source for flags, paths in copies if "--from=" not in flags for source in paths.split()[:-1]
        )


def faults(dockerfile: Dockerfile) -> list[str]:
    """What is against the rules, as sentences; empty when nothing is."""
    final = dockerfile.final
    bases = [stage.base for stage in dockerfile.stages if stage.base not in dockerfile.names]
    found = [f"{base} is named without a version" for base in bases if not VERSIONED.fullmatch(base)]
    found += [f"{directive} would be fetched by every build" for directive in dockerfile.directives]
    if len(dockerfile.stages) == 1:
        found.append("what builds the image stays in it: there is one stage")
    used = {name for stage in dockerfile.stages for name, _ in stage.instructions}
    found += [f"{name} is not for our images" for name in sorted(used & UNUSED)]
    found += [
        f"`{command}` does more than remove" for command in _commands(final) if not REMOVAL.match(command)
    ]
    runs = [value for stage in dockerfile.stages for value in stage.values("RUN")]
    found += [
        f"Buildah refuses the mount {mount}"
        for run in runs
        for mount in RELATIVE_MOUNT.findall(_split(run)[0])
    ]
    last = [name if name == "RUN" else f"{name} {value}" for name, value in final.instructions[-len(LAST) :]]
    if last != LAST:
        found.append(f"it ends with {last}, not with {LAST}")
    found += [f"CMD {value} starts a shell" for value in final.values("CMD") if not _is_list(value)]
    return found


def missing(dockerfile: Dockerfile, names: Iterable[str]) -> list[str]:
    """Sources of the Dockerfile that are none of the files in the build context."""
    return [source for source in dockerfile.sources() if not any(_holds(source, name) for name in names)]


def needless(dockerfile: Dockerfile, names: Iterable[str]) -> list[str]:
    """Files in the build context that no image is made of: never copied, tests, or for people."""
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
    """The flags at the start of an instruction's value, and the rest."""
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
