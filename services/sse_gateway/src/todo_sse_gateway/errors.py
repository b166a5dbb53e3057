"""The gateway's own HTTP errors.

todo_kit.problems.ProblemError
├── MethodNotAllowedError     405
├── TooManyRequestsError
│   └── TooManyStreamsError   429
└── UnavailableError
    └── StoppingError         503
"""

from http import HTTPStatus

from todo_kit.problems import ProblemError, TooManyRequestsError, UnavailableError


class MethodNotAllowedError(ProblemError):
    """A stream can only be read."""

    status_code = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"

    def __init__(self) -> None:
        """Names the allowed method."""
        super().__init__("The stream is read with GET.", headers={"Allow": "GET"})


class TooManyStreamsError(TooManyRequestsError):
    """The user has as many open streams as a user may have."""

    title = "Too many open streams"

    def __init__(self, limit: int) -> None:
        """Names the limit and when to try again."""
        super().__init__(
            f"This user has {limit} streams open. Close a tab and try again.", headers={"Retry-After": "30"}
        )


class StoppingError(UnavailableError):
    """This replica is stopping; the next attempt reaches another one."""

    title = "Gateway stopping"

    def __init__(self) -> None:
        """Asks the client to reconnect at once, because the other replicas keep running."""
        super().__init__("This gateway is stopping. Connect again.", retry_after_seconds=1)
