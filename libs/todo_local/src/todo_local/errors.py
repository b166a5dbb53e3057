"""What can stop a local run. Every error ends the command with exit code 1, and it may be run again.

LocalError
├── RunFileError        dapr.yaml asks for something that a local run cannot do
├── PortTakenError      another program listens on a port that the application needs
├── StartError          a part did not start
├── DiedError           a part that ran has ended by itself
└── CheckError          everything runs, but does not do what it should
"""

INTERRUPTED = 130  # the exit code of a check that was interrupted


class LocalError(Exception):
    """The application cannot be run here, or no longer: `problem` says what, `remedy` what to do next."""

    exit_code = 1

    def __init__(self, problem: str, *, remedy: str) -> None:
        """Both texts are sentences, shown as they are."""
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        """Returns the problem, then the remedy."""
        return f"{self.problem} {self.remedy}"


class RunFileError(LocalError):
    """The run file cannot be read, or asks for something that a local run does not offer."""


class PortTakenError(LocalError):
    """A fixed port is in use by another program."""


class StartError(LocalError):
    """A part of the application did not start."""


class DiedError(LocalError):
    """A part of the application ended although nobody asked it to."""


class CheckError(LocalError):
    """The application runs but does not answer as it should."""
