"""Which program listens on a port of this machine, as far as this user may know."""

from collections.abc import Mapping

import psutil

from todo_embedded.ports import is_free
from todo_local.errors import PortTakenError


def require_free(ports: Mapping[int, str]) -> None:
    """Checks that every port can be listened on; `ports` says what each is for.

    Raises:
        PortTakenError: some are taken; it names each of them and, where known, its holder.
    """
    taken = {port: purpose for port, purpose in ports.items() if not is_free(port)}
    if taken:
        places = "; ".join(
            f"port {port} (for {purpose}) is in use{_by(port_holder(port))}"
            for port, purpose in taken.items()
        )
        raise PortTakenError(f"{places}.", remedy="End that program, or another `inv up`, and start again.")


def port_holder(port: int) -> str | None:
    """Returns the program that listens on a TCP port, as `python (pid 4711)`; None if that is not known.

    On Linux processes of other users are found by root alone; macOS lists none at all to anyone else.
    """
    try:
        for connection in psutil.net_connections(kind="tcp"):
            is_listener = connection.status == psutil.CONN_LISTEN and connection.pid is not None
            if is_listener and connection.laddr and connection.laddr.port == port:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:  # it may not be known, or the holder ended meanwhile
        return None
    return None


def _by(holder: str | None) -> str:
    return f" by {holder}" if holder else ""
