"""The errors of the tools.

    mcp.server.mcpserver.exceptions.ToolError
    └── BackendError
        ├── BackendRefusedError        the backend refused the call; its message is passed on
        └── BackendUnreachableError    the backend gave no usable answer; the call may be repeated

The SDK returns the message of a ToolError to the model as a result with `is_error`, so it says what to do
next. The messages of other exceptions are only logged.
"""

from mcp.server.mcpserver.exceptions import ToolError


class BackendError(ToolError):
    """The backend did not do what a tool requested."""


class BackendRefusedError(BackendError):
    """The backend refused the call, for example because an argument is not allowed."""


class BackendUnreachableError(BackendError):
    """The backend gave no usable answer."""
