"""The errors of this package.

EmbeddedError
├── ToolInstallError    a pinned tool could not be brought to this machine
├── ProcessStartError   a child could not be started, ended early or was not ready in time
├── ApiError            the API server of a control plane refused a request
└── UnsupportedHostError   this machine forbids what a server needs
"""


class EmbeddedError(Exception):
    """Anything this package could not do; its message says what to do next."""


class ToolInstallError(EmbeddedError):
    """A pinned tool could not be fetched or built."""


class ProcessStartError(EmbeddedError):
    """A child process could not be started, ended before it was ready or took longer than its bound."""


class ApiError(EmbeddedError):
    """The API server of a control plane refused a request; `status_code` is HTTP's."""

    def __init__(self, status_code: int, message: str) -> None:
        """`message` says what was asked and what the server answered."""
        super().__init__(message)
        self.status_code = status_code


class UnsupportedHostError(EmbeddedError):
    """This machine forbids something a server needs, such as giving up root."""
