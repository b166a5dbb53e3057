"""The errors of the tools.

    mcp.server.mcpserver.exceptions.ToolError
    ├── InvalidArgumentsError          the arguments are not allowed, so the backend was not called
    ├── ConfirmationRefusedError       the confirmation code is not of this call; the user must confirm again
    └── BackendError
        ├── BackendRefusedError        the backend refused the call; its message is passed on
        │   └── TaskChangedError       the task is not in the version that was read
        └── BackendUnreachableError    the backend gave no usable answer; the call may be repeated

The SDK returns the message of a ToolError to the model as a result with `is_error`, so it says what to do
next. The messages of other exceptions are only logged.
"""

from mcp.server.mcpserver.exceptions import ToolError


class InvalidArgumentsError(ToolError):
    """An argument is unknown, missing or not allowed, or two contradict each other."""

    def __init__(self, reasons: list[str]) -> None:
        """Takes what is wrong, one sentence for each argument."""
        super().__init__(" ".join(["Nothing was done, because the arguments are not allowed.", *reasons]))


class ConfirmationRefusedError(ToolError):
    """A confirmation code was given that does not confirm this call."""


class BackendError(ToolError):
    """The backend did not do what a tool requested."""


class BackendRefusedError(BackendError):
    """The backend refused the call, for example because an argument is not allowed."""


class TaskChangedError(BackendRefusedError):
    """The task was changed after the agent had read it."""

    def __init__(self) -> None:
        """Says what the agent should do."""
        super().__init__(
            "Nothing was done, because the task was changed after you read it. Read it again with list_tasks,"
            " and repeat what the user still wants."
        )


class BackendUnreachableError(BackendError):
    """The backend gave no usable answer."""
