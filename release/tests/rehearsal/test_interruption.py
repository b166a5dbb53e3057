"""A rehearsal that is interrupted leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..shop import Tree

REHEARSE = """\
import sys
from pathlib import Path
from todo_release import commands
from todo_release.session import CommandOptions
sys.exit(commands.rehearse(Path(sys.argv[1]), "1.0.0", CommandOptions(output="lines")))
"""


def processes_of(folder: Path) -> set[int]:
    """Returns the processes whose command line names this folder."""
    pids = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode(errors="replace"):
                pids.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return pids


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
@pytest.mark.parametrize("moment", ["The control plane is ready", "• Deploy 0.0.0-0.rehearsal"])
def test_interrupted_rehearsal_leaves_no_process_and_no_file(shop: Tree, tmp_path: Path, moment: str) -> None:
    """Ctrl-C ends a rehearsal with 130, at its beginning and during a deployment, and removes everything."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", REHEARSE, str(shop.path)]
    environment = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    with subprocess.Popen(
        command,
        env=environment | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = []
        for line in process.stdout:
            output.append(line)
            if line.startswith(moment):
                break
        running = processes_of(temporary)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(output) + rest
    assert len(running) >= 5
    assert "Traceback" not in rest
    deadline = time.monotonic() + 5
    while (left := processes_of(temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == set()
    assert list(temporary.iterdir()) == []
