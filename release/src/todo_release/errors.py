"""Everything the engine can refuse or fail with, and the exit code each one ends the program with.

    ReleaseError                       exit code
    ├── ConfigError                    2   release.yaml or an override is wrong (file, line, column)
    ├── VersionError                   3   the version asked for cannot be released
    ├── RepositoryError                4   work tree, branch, tag or remote are not as a release needs them
    ├── CommandError                   5   a program could not be started, failed or ran out of time
    ├── BuildError                     6   an image did not build
    ├── RegistryError                  7   the image registry refused, lacks an image or was not reachable
    ├── ClusterError                   8   the Kubernetes API refused or was not reachable
    ├── HelmError                      9   helm refused to render, upgrade or roll back
    ├── LockedError                   10   someone else is releasing to this environment
    ├── PromotionError                11   the environment before has not verified these digests
    ├── DeclinedError                 12   a person answered no
    ├── SmokeError                    13   rolled out, but the smoke checks fail
    ├── JournalError                  14   the record of an earlier run cannot be read
    ├── preflight.PreflightError    15   something would certainly fail, found before anything was changed
    ├── RehearsalError              16   the rehearsal itself could not be held, or found the engine at fault
    ├── DriftError                  17   an environment is not what was deployed to it
    └── RolloutError                  20 to 39, by cause: the new pods cannot become ready

Exit code 0 means done (or nothing to do), 1 an unexpected error of the engine itself, 130 interrupted. The
codes are a contract with CI: a code is never reused for another meaning.
"""

from typing import ClassVar

INTERRUPTED = 130
UNEXPECTED = 1


class ReleaseError(Exception):
    """A release cannot go on: `problem` says what, with which value; `remedy` what to do next."""

    exit_code: ClassVar[int]

    def __init__(self, problem: str, *, remedy: str, evidence: str | None = None) -> None:
        """Both texts are sentences without secrets, shown as they are; `evidence` is a folder, if one was
        kept.
        """
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.evidence = evidence

    @property
    def code(self) -> int:
        """Exit code of the program when this error ends it."""
        return self.exit_code

    def __str__(self) -> str:
        """One line: the problem, then the remedy."""
        return f"{self.problem} {self.remedy}"


class ConfigError(ReleaseError):
    """A mistake in release.yaml, at a place (`line` and `column` count from 1; None for overrides)."""

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        remedy: str,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        """`file` is relative to the repository, so that CI can annotate it."""
        super().__init__(problem, remedy=remedy)
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """`file:line:column: problem remedy`, the form editors and terminals turn into links."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {super().__str__()}" if place else super().__str__()


class VersionError(ReleaseError):
    """The version asked for is malformed, not greater than the last one, or taken by other content."""

    exit_code = 3


class RepositoryError(ReleaseError):
    """The git repository is not in the state a release needs."""

    exit_code = 4


class CommandError(ReleaseError):
    """A program could not be started, ended with a code other than 0, or ran out of time."""

    exit_code = 5


class BuildError(ReleaseError):
    """An image did not build; the problem holds the last lines of the build."""

    exit_code = 6


class RegistryError(ReleaseError):
    """The image registry was not reachable, refused, or does not hold what it should."""

    exit_code = 7


class ClusterError(ReleaseError):
    """The Kubernetes API was not reachable or refused."""

    exit_code = 8


class HelmError(ReleaseError):
    """Helm refused to render, upgrade or roll back."""

    exit_code = 9


class LockedError(ReleaseError):
    """Another release holds the environment's lock."""

    exit_code = 10


class PromotionError(ReleaseError):
    """An environment refuses digests that the environment before it has not verified."""

    exit_code = 11


class DeclinedError(ReleaseError):
    """A person was asked and did not agree, or could not be asked."""

    exit_code = 12


class SmokeError(ReleaseError):
    """The rollout finished but the application does not answer as release.yaml expects."""

    exit_code = 13


class JournalError(ReleaseError):
    """The record of an earlier run is damaged or belongs to other content."""

    exit_code = 14


class RehearsalError(ReleaseError):
    """The world of a rehearsal could not be made, or the engine did there what it never should."""

    exit_code = 16


class DriftError(ReleaseError):
    """Somebody changed an environment by hand or with another tool."""

    exit_code = 17


class RolloutError(ReleaseError):
    """New pods cannot become ready; `code` (20 to 39) tells the cause."""

    exit_code = 20

    def __init__(self, problem: str, *, remedy: str, code: int = 20, evidence: str | None = None) -> None:
        """`code` belongs to the cause (see `rollout.failure_detection`)."""
        super().__init__(problem, remedy=remedy, evidence=evidence)
        self._code = code

    @property
    def code(self) -> int:
        """The cause's own exit code."""
        return self._code
