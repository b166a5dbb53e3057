"""What can stop a local run.

ReleaseError
└── LocalError              exit code 1: told to whoever typed the command, who can run it again
    ├── RunFileError        dapr.yaml says something that a local run cannot do
    ├── PortTakenError      someone else listens where a part of the application wants to
    ├── StartError          a part did not start
    ├── DiedError           a part that ran has ended by itself
    └── CheckError          everything runs, but does not do what it should
"""

from todo_release.errors import ReleaseError


class LocalError(ReleaseError):
    """The application cannot be run here, or no longer."""

    exit_code = 1


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
