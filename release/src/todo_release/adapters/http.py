"""Pools of connections to a server, through the proxy that the environment names for it.

No proxy is used for a server on this machine, whatever the environment says, because none could reach it.

They serve the requests of every run, to the registry and the API server, because urllib3 loads in a third of
the time of httpx2. Code that runs later in a release, such as smoke checks, may use httpx2.
"""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

Headers = Mapping[str, str]
CONNECT_SECONDS = 10
CONNECTIONS = 32
# The caller decides what is tried again; only redirects are followed here.
REDIRECTS_ONLY = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=5)


def pool(
    server: str,
    *,
    read_seconds: float,
    connect_seconds: float = CONNECT_SECONDS,
    tls: ssl.SSLContext | None = None,
) -> urllib3.PoolManager:
    """Returns a pool of connections to a server (scheme and host); nothing is sent yet.

    `tls` None trusts the authorities that the system trusts.
    """
    timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
    options: dict[str, Any] = {"timeout": timeout, "retries": REDIRECTS_ONLY, "maxsize": CONNECTIONS}
    if server.startswith("https:"):
        options["ssl_context"] = tls or ssl.create_default_context()
    proxy = _proxy(server)
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def reason_of(error: HTTPError) -> str:
    """Returns in one line why there was no answer."""
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    return (str(reason) or type(reason).__name__).splitlines()[0]


def _proxy(server: str) -> str | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    parts = urlsplit(server)
    if _is_this_machine(parts.hostname or ""):
        return None
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
