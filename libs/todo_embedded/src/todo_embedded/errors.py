"""The errors of this package.

EmbeddedError
├── ToolInstallError    a pinned tool could not be brought to this machine
├── ProcessStartError   a child could not be started, ended early or was not ready in time
└── UnsupportedHostError   this machine forbids what a server needs
"""


class EmbeddedError(Exception):
    """Anything this package could not do; its message says what to do next."""


class ToolInstallError(EmbeddedError):
    """A pinned tool could not be fetched or built."""


class ProcessStartError(EmbeddedError):
    """A child process could not be started, ended before it was ready or took longer than its bound."""


class UnsupportedHostError(EmbeddedError):
    """This machine forbids something a server needs, such as giving up root."""
