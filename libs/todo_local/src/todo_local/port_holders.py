"""Who listens on a port of this machine, as far as this user may know."""

from collections.abc import Mapping
from pathlib import Path

from todo_embedded.ports import is_free
from todo_local.errors import PortTakenError

PROC = Path("/proc")
LISTENING = "0A"  # state TCP_LISTEN in /proc/net/tcp


def require_free(ports: Mapping[int, str]) -> None:
    """Check that every port can be listened on; `ports` says what each is for.

    Raises PortTakenError that names each taken port and, where known, its holder.
    """
    taken = {port: purpose for port, purpose in ports.items() if not is_free(port)}
    if taken:
        places = "; ".join(
            f"port {port} (for {purpose}) is in use{_by(port_holder(port))}"
            for port, purpose in taken.items()
        )
        raise PortTakenError(f"{places}.", remedy="End that program, or another `inv up`, and start again.")


def port_holder(port: int) -> str | None:
    """Name the program that listens on a TCP port: `python (pid 4711)`; None where that cannot be found out.

    Linux only; processes of other users are found by root alone.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in PROC.glob("[0-9]*") if sockets else ():
        try:
            if any(str(link.readlink()) in sockets for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
        except OSError:  # it ended meanwhile, or belongs to someone else
            continue
    return None


def _by(holder: str | None) -> str:
    return f" by {holder}" if holder else ""


def _listening_inodes(port: int) -> set[str]:
    """Read proc(5) net/tcp: column 2 is `ADDRESS:PORT` in hex, 4 the state, 10 the socket's inode."""
    inodes = set()
    for table in ("net/tcp", "net/tcp6"):
        try:
            rows = [row.split() for row in (PROC / table).read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {
            row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port
        }
    return inodes
