"""What a tool answers with when it does not do what was asked.

    mcp.server.mcpserver.exceptions.ToolError
    └── BackendError
        ├── RefusedError        the backend says that the call is wrong; its words are passed on
        └── UnreachableError    nobody knows whether the call is wrong; it may be repeated

The SDK gives the message of a ToolError to the model as a result with `is_error`, so it says what to do next.
What any other exception says stays in the log.
"""

from mcp.server.mcpserver.exceptions import ToolError


class BackendError(ToolError):
    """The backend did not do what a tool asked of it."""


class RefusedError(BackendError):
    """The backend understood the call and refuses it."""


class UnreachableError(BackendError):
    """The backend gave no usable answer."""
