"""The single origin of a local run: Caddy with the path rules of the cluster's Ingress."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from todo_embedded.caddy import caddy
from todo_embedded.ports import is_free
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage

START_TIMEOUT_SECONDS = 15
STOP_GRACE_SECONDS = 2

# As in chart/templates/ingress; the longest prefix wins.
ROUTES = {
    "/api/auth": "frontend",
    "/api/notifications": "notification",
    "/api": "backend",
    "/sse": "sse-gateway",
    "/mcp": "mcp",
    "/.well-known/oauth-protected-resource": "mcp",
    "/": "frontend",
}


def caddy_config(port: int, upstreams: Mapping[str, int], hosts: Sequence[str]) -> dict[str, object]:
    """Returns Caddy's JSON configuration.

    Caddy listens on `port` of each of `hosts` and sends a path of `ROUTES` to the local port that `upstreams`
    has for its service, every byte as soon as it comes. It has no administration interface and no
    certificates, and saves nothing.
    """
    routes = [
        {
            **({} if prefix == "/" else {"match": [{"path": [prefix, f"{prefix}/*"]}]}),
            "handle": [
                {
                    "handler": "reverse_proxy",
                    "upstreams": [{"dial": f"127.0.0.1:{upstreams[service]}"}],
                    "flush_interval": -1,
                }
            ],
            "terminal": True,
        }
        for prefix, service in sorted(ROUTES.items(), key=lambda route: -len(route[0]))
    ]
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "apps": {
            "http": {
                "grace_period": "1s",
                "servers": {
                    "origin": {
                        "listen": [f"{host}:{port}" for host in hosts],
                        "automatic_https": {"disable": True},
                        "routes": routes,
                    }
                },
            }
        },
    }


@contextlib.contextmanager
def proxy(
    port: int, upstreams: Mapping[str, int], folder: Path, *, log: OnMessage, progress: OnMessage
) -> Iterator[ServerProcess]:
    """Runs the proxy for the length of the block; it writes only to `folder`. Raises EmbeddedError."""
    config = folder / "caddy.json"
    config.write_text(json.dumps(caddy_config(port, upstreams, _loopback_hosts(port)), indent=2))
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    program = caddy(progress=progress)
    with ServerProcess(
        "caddy", [program, "run", "--config", config], env=environment, on_line=log
    ) as process:
        process.wait_until_ready(lambda: not is_free(port), timeout_seconds=START_TIMEOUT_SECONDS)
        yield process
        process.stop(grace_seconds=STOP_GRACE_SECONDS)


def _loopback_hosts(port: int) -> list[str]:
    """Returns the addresses that `localhost` may mean; IPv6 only where this machine has it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", port))
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "[::1]"]
