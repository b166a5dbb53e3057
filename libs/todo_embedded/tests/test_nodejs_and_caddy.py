"""Node.js with npm, and Caddy."""

import subprocess
import sys

import pytest

from todo_embedded.caddy import caddy
from todo_embedded.nodejs import node


def output(*command: str) -> str:
    """Returns what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_node_is_the_version_of_the_images() -> None:
    """Local runs, tests and images use the same major version."""
    assert output(str(node().node), "--version").startswith("v22.")


@pytest.mark.parametrize("program", ["npm", "npx"])
def test_npm_and_npx_start(program: str) -> None:
    """npm and npx start with `python -m todo_embedded`."""
    assert output(sys.executable, "-m", "todo_embedded", program, "--version").startswith("10.")


def test_npm_scripts_see_this_node() -> None:
    """A program that npm starts runs on the pinned Node.js, not on another of the machine."""
    script = "process.stdout.write(process.execPath)"
    seen = output(sys.executable, "-m", "todo_embedded", "npm", "exec", "--", "node", "-e", script)
    assert seen == str(node().node)


def test_caddy_runs() -> None:
    """The pinned Caddy starts on this machine."""
    assert output(str(caddy()), "version").startswith("v2.11")


def test_unknown_tool_is_a_usage_error() -> None:
    """An unknown tool name ends with 1 and the list of tools."""
    result = subprocess.run(
        [sys.executable, "-m", "todo_embedded", "deno"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "node|npm|npx|caddy" in result.stderr
