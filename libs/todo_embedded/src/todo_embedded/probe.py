"""Checks whether a server on this machine answers HTTP requests."""

import urllib.request

TIMEOUT_SECONDS = 1
# Without proxies: a proxy cannot reach this machine's loopback address.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Returns whether a GET of this URL is answered with a 2xx status."""
    try:
        with _opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            return bool(200 <= response.status < 300)
    except OSError:  # urllib's own errors are OSErrors too
        return False
