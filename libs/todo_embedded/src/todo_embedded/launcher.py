"""Prepares each supervised child: ties it to its owner's life, drops root, then executes the program.

`process` runs this file as a script under `python -I -S` (12 ms), so it imports the standard library only. It
is used instead of `preexec_fn`, which is unsafe in a process with threads, and of util-linux's `setpriv` and
`unshare`, which a developer's machine may lack.

Usage: launcher.py OWNER_PID DEATH_SIGNAL keep|drop PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CLONE_NEWUSER = 0x10000000  # linux/sched.h
UNPRIVILEGED_ID = 1000
EXIT_CANNOT_START = 127
EXIT_CANNOT_DROP_ROOT = 126


def die_with_owner(owner_pid: int, death_signal: int) -> None:
    """Makes Linux send `death_signal` to this process when its owner ends, even by SIGKILL.

    The setting survives `execve` of an ordinary program (prctl(2)). Other systems have no such call: there a
    child outlives an owner that was killed.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != owner_pid:  # the owner ended before the setting was made
        sys.exit(EXIT_CANNOT_START)


def drop_root() -> None:
    """Enters a user namespace in which this process is an ordinary user.

    For the kernel the process still has uid 0, so its files belong to the caller. With setuid a system user
    would have to exist and parent folders would need looser permissions.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if not hasattr(libc, "unshare") or libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(EXIT_CANNOT_DROP_ROOT)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{UNPRIVILEGED_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{UNPRIVILEGED_ID} {gid} 1")


def main(owner_pid: str, death_signal: str, root: str, *command: str) -> None:
    """Prepares this process and replaces it with `command`; never returns."""
    if root == "drop" and os.geteuid() == 0:
        drop_root()
    # After the namespace: a change of credentials clears the death signal (prctl(2)).
    die_with_owner(int(owner_pid), int(death_signal))
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        sys.exit(EXIT_CANNOT_START)


if __name__ == "__main__":
    main(*sys.argv[1:])
