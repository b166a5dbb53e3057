"""Runs a pinned tool: `python -m todo_embedded node|npm|npx|caddy [ARGUMENT ...]`."""

import os
import sys

from todo_embedded.caddy import caddy
from todo_embedded.errors import EmbeddedError
from todo_embedded.nodejs import node


def main(arguments: list[str]) -> None:
    """Replaces this process with the tool named by the first argument; never returns normally."""
    name = arguments[0] if arguments else ""
    if name not in ("node", "npm", "npx", "caddy"):
        sys.exit("usage: python -m todo_embedded node|npm|npx|caddy [ARGUMENT ...]")
    try:
        if name == "caddy":
            program, environment = caddy(progress=_print_progress), dict(os.environ)
        else:
            runtime = node(progress=_print_progress)
            program, environment = runtime.bin_dir / name, runtime.environment()
    except EmbeddedError as error:
        sys.exit(str(error))
    os.execve(program, [name, *arguments[1:]], environment)  # noqa: S606  # no shell is wanted


def _print_progress(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
