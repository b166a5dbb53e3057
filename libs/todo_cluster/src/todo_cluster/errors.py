"""The errors of the commands for the cluster, each with the exit code that it ends the program with.

    ReleaseError                exit code
    ├── ProviderError           40   the cluster's provider refused, did not answer, or runs another cluster
    ├── BootstrapError          41   a step of the bootstrap did not reach its state
    ├── CapacityError           42   what is configured does not fit the cluster's nodes
    ├── SecretsError            43   values of Secrets are missing or wrong; nothing was written
    ├── DatabaseError           44   a database did not answer or refused, or is not what it must be
    ├── BrokerError             45   the broker did not answer, refused, or differs in what cannot be changed
    ├── RestartError            46   pods that use a new value did not become ready; the old one is back
    └── BackupError             47   a backup is incomplete, damaged or not restorable as asked

The engine has 2 to 39. Codes from 43 are free for the other commands of this package. A code is never used
for another meaning; docs/exit-codes.md repeats the table for people.
"""

from todo_release.errors import ReleaseError


class ProviderError(ReleaseError):
    """The provider's API refused or did not answer, or its cluster differs in what cannot be changed."""

    exit_code = 40


class BootstrapError(ReleaseError):
    """A step was done but its state is not there, or a component declared as present is missing."""

    exit_code = 41


class CapacityError(ReleaseError):
    """Third-party components and both environments request more than the nodes offer."""

    exit_code = 42


class SecretsError(ReleaseError):
    """Values of Secrets are missing or wrong; all of them are named, and nothing was written."""

    exit_code = 43


class DatabaseError(ReleaseError):
    """A database did not answer or refused, or is not what it must be."""

    exit_code = 44


class BrokerError(ReleaseError):
    """The broker did not answer or refused, or its topics differ in what cannot be changed."""

    exit_code = 45


class RestartError(ReleaseError):
    """Pods that use a new value did not become ready; the old value is back."""

    exit_code = 46


class BackupError(ReleaseError):
    """A backup is incomplete or damaged, or must not be restored where it was asked to."""

    exit_code = 47
