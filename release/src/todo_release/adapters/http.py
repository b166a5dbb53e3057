"""Connections that are kept open to a server, through the proxy that the environment names for it.

For what a release asks on every run, the registry and the API server: urllib3 loads in a third of the time
that httpx2 takes, which whoever verifies or announces can afford.
"""

import os
import ssl
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

CONNECT_SECONDS = 10
CONNECTIONS = 32
# Whoever asks decides what is tried again; only redirects are followed here.
FOLLOW = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=5)


def pool(server: str, *, read_seconds: float, tls: ssl.SSLContext | None = None) -> urllib3.PoolManager:
    """Connections to a server (scheme and host); nothing is sent yet.

    `tls` None trusts whom the system trusts.
    """
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds)
    options: dict[str, Any] = {"timeout": timeout, "retries": FOLLOW, "maxsize": CONNECTIONS}
    if server.startswith("https:"):
        options["ssl_context"] = tls or ssl.create_default_context()
    proxy = _proxy(server)
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def told(error: HTTPError) -> str:
    """Why nobody answered, in one line."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return (str(reason) or type(reason).__name__).splitlines()[0]


def _proxy(server: str) -> str | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(server)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
