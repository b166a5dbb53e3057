"""What a smoke check is about, and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SmokeTarget:
    """What is checked: the environment's URL, and the version that should answer there.

    `root` is the repository, in which programs run and at which relative paths of release.yaml start.
    `version` may be empty if no program takes it (`SmokeSettings.needs_version`). `builds` are the released
    builds by image, as far as they are known.
    """

    url: str
    version: str
    root: Path
    builds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandStep:
    """A step that a program reports; `detail` says what it saw, `error` what was wrong with it."""

    name: str
    milliseconds: float
    detail: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check; `detail` says what was seen, `seconds` how long it took with its repetitions.

    `steps` are those of the last run of a program; other checks have none.
    """

    name: str
    is_ok: bool
    detail: str
    seconds: float
    steps: tuple[CommandStep, ...] = ()


class CheckFailedError(Exception):
    """A check saw something else than it should have; the text says what."""

    def __init__(self, detail: str, *, steps: tuple[CommandStep, ...] = (), can_repeat: bool = True) -> None:
        """`steps` are those that a program reported; without `can_repeat` another try would end the same."""
        super().__init__(detail)
        self.steps = steps
        self.can_repeat = can_repeat
