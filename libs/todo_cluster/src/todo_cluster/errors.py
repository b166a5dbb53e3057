"""The errors of the commands for the cluster, each with the exit code that it ends the program with.

    ReleaseError                exit code
    ├── ProviderError           40   the cluster's provider refused, did not answer, or runs another cluster
    ├── BootstrapError          41   a step of the bootstrap did not reach its state
    └── CapacityError           42   what is configured does not fit the cluster's nodes

The engine has 2 to 39. Codes from 43 are free for the other commands of this package. A code is never used for
another meaning; docs/exit-codes.md repeats the table for people.
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
