"""Free TCP ports of this machine's loopback address."""

import secrets
import socket

FIRST_PORT = 20_000
LAST_PORT = 32_767  # Linux takes the ports of outgoing connections from 32768 upwards (ip_local_port_range)


def is_free(port: int) -> bool:
    """Returns whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Returns a random port that nobody listens on.

    The port lies below the range of outgoing connections, so neither those nor a concurrent caller are likely
    to take it before the server does.
    """
    while True:
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        if is_free(port):
            return port
