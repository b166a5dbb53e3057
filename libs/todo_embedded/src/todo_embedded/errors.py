"""The errors of this package.

EmbeddedError
├── ToolInstallError    a pinned tool could not be brought to this machine
├── ProcessStartError   a program could not be started, ended early or took too long
├── ApiError            the API server of a control plane refused a request
└── UnsupportedHostError   this machine forbids what a server needs
"""


class EmbeddedError(Exception):
    """Base class of this package's errors; the message says what to do next."""


class ToolInstallError(EmbeddedError):
    """A pinned tool could not be downloaded or built."""


class ProcessStartError(EmbeddedError):
    """A program could not be started, ended before it was ready or took longer than its time limit."""


class ApiError(EmbeddedError):
    """The API server of a control plane refused a request; `status_code` is the HTTP status."""

    def __init__(self, status_code: int, message: str) -> None:
        """Keeps the status; `message` holds the request and the server's answer."""
        super().__init__(message)
        self.status_code = status_code


class UnsupportedHostError(EmbeddedError):
    """This machine forbids something a server needs, such as giving up root."""
