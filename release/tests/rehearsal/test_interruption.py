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
from todo_release import engine
from todo_release.session import Options
sys.exit(engine.rehearse(Path(sys.argv[1]), "1.0.0", Options(output="lines")))
"""


def processes_of(folder: Path) -> set[int]:
    """Processes that were started with something of this folder, without those that are done for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode(errors="replace"):
                found.add(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
@pytest.mark.parametrize("moment", ["The control plane is ready", "• Deploy 0.0.0-0.rehearsal"])
def test_interrupted_rehearsal_leaves_no_process_and_no_file(shop: Tree, tmp_path: Path, moment: str) -> None:
    """Ctrl-C ends it with 130, whether it is just beginning or in the middle of a deployment."""
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
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith(moment):
                break
        running = processes_of(temporary)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(said) + rest
    assert len(running) >= 5
    assert "Traceback" not in rest
    deadline = time.monotonic() + 5
    while (left := processes_of(temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == set()
    assert list(temporary.iterdir()) == []
