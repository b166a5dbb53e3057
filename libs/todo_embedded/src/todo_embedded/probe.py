"""One question to a server on this machine: does it answer?"""

import urllib.request

TIMEOUT_SECONDS = 1
_opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({})
)  # a proxy cannot reach our loopback address


def answers(url: str) -> bool:
    """Tell whether a GET of this URL answers with a status of 2xx now."""
    try:
        with _opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            return bool(200 <= response.status < 300)
    except OSError:  # urllib's own errors are OSErrors too
        return False
