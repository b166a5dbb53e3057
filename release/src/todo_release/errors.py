"""The tree of errors that the engine raises, each with the exit code that it ends the program with.

    ReleaseError                       exit code
    ├── ConfigError                    2   release.yaml or an override is wrong
    ├── VersionError                   3   the version cannot be released
    ├── RepositoryError                4   work tree, branch, tag or remote is not ready for a release
    ├── CommandError                   5   a program is missing, failed or took too long
    ├── BuildError                     6   an image did not build
    ├── RegistryError                  7   the image registry refused, lacks an image or did not answer
    ├── ClusterError                   8   the Kubernetes API refused or did not answer
    ├── HelmError                      9   Helm refused to render, upgrade or roll back
    ├── LockedError                   10   somebody else is releasing to this environment
    ├── PromotionError                11   the required environment has not verified these digests
    ├── DeclinedError                 12   nobody agreed to the change
    ├── SmokeError                    13   rolled out, but the smoke checks fail
    ├── JournalError                  14   a record of an earlier run, or a saved plan, cannot be read
    ├── preflight.PreflightError       15   preflight found that the release would fail; nothing was changed
    ├── RehearsalError                16   the rehearsal could not run, or a fault was not handled as promised
    ├── DriftError                    17   the environment differs from what was deployed to it
    ├── StalePlanError                18   what the plan was made from has changed since
    ├── HealthError                   19   verified, but the new pods fail while they are watched
    └── RolloutError                  20 to 39, by cause: the new pods cannot become ready

Exit code 0 means that the command succeeded, 1 an unexpected error of the engine itself, 130 that it was
interrupted. The codes are a contract with CI: a code is never reused for another meaning.
"""

from typing import ClassVar

INTERRUPTED = 130
UNEXPECTED = 1


class ReleaseError(Exception):
    """A release cannot continue: `problem` says what is wrong, `remedy` what to do next."""

    exit_code: ClassVar[int]

    def __init__(self, problem: str, *, remedy: str, evidence: str | None = None) -> None:
        """Takes two texts that are shown as they are: whole sentences, without secrets.

        `evidence` is the folder with the evidence, if any was kept.
        """
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.evidence = evidence

    @property
    def code(self) -> int:
        """Returns the exit code of the program when this error ends it."""
        return self.exit_code

    def __str__(self) -> str:
        """Returns the problem, then the remedy."""
        return f"{self.problem} {self.remedy}"


class ConfigError(ReleaseError):
    """A mistake in release.yaml; `line` and `column` count from 1 and are None for overrides."""

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
        """Takes `file` relative to the repository, so that CI can annotate it."""
        super().__init__(problem, remedy=remedy)
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """Returns `file:line:column: problem remedy`, which editors and terminals turn into a link."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {super().__str__()}" if place else super().__str__()


class VersionError(ReleaseError):
    """The version asked for is malformed, not greater than the last one, or already has other content."""

    exit_code = 3


class RepositoryError(ReleaseError):
    """The git repository is not in the state a release needs."""

    exit_code = 4


class CommandError(ReleaseError):
    """A program could not be started, ended with a code other than 0, or ran out of time."""

    exit_code = 5


class BuildError(ReleaseError):
    """An image did not build; the problem contains the last lines of the build."""

    exit_code = 6


class RegistryError(ReleaseError):
    """The image registry was not reachable, refused, or does not hold an image that it should."""

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
    """A person was asked to confirm and did not, or could not be asked."""

    exit_code = 12


class SmokeError(ReleaseError):
    """The rollout finished but the application does not answer as release.yaml expects."""

    exit_code = 13


class JournalError(ReleaseError):
    """The record of an earlier run, or a saved plan, is damaged or belongs to other content."""

    exit_code = 14


class RehearsalError(ReleaseError):
    """The sandbox of a rehearsal could not be set up, or the engine did something wrong in it."""

    exit_code = 16


class DriftError(ReleaseError):
    """An environment was changed by hand or with another tool."""

    exit_code = 17


class StalePlanError(ReleaseError):
    """Git, the registry or an environment is not as the plan saw it; nothing was changed."""

    exit_code = 18


class HealthError(ReleaseError):
    """A verified version fails requests, is too slow, restarts or raises alerts while it is watched."""

    exit_code = 19


class RolloutError(ReleaseError):
    """New pods cannot become ready; `code` (20 to 39) names the cause."""

    exit_code = 20

    def __init__(self, problem: str, *, remedy: str, code: int = 20, evidence: str | None = None) -> None:
        """Takes the `code` of the cause (see `environments.rollout`)."""
        super().__init__(problem, remedy=remedy, evidence=evidence)
        self._code = code

    @property
    def code(self) -> int:
        """Returns the exit code of the cause."""
        return self._code
