"""Where a running application is asked from outside, and how a connection to it is made."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the environment is asked: its URL, and how a connection to it is made.

    `connect_to` (host, port) is where connections go instead; the URL's name is still what is asked for, in
    the Host header and in TLS. `ca_file` is trusted beside the system's authorities.
    """

    url: str
    connect_to: tuple[str, int] | None = None
    ca_file: Path | None = None

    @property
    def host(self) -> str:
        """The name that is asked for."""
        return urlsplit(self.url).hostname or ""

    @property
    def address(self) -> tuple[str, int]:
        """Where a TLS connection goes."""
        return self.connect_to or (self.host, urlsplit(self.url).port or 443)

    def tls(self) -> ssl.SSLContext:
        """Trusts the system's authorities and `ca_file`, and checks names."""
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context

    def client(self) -> httpx2.Client:
        """A client for this origin; it does not follow redirects, so that a check sees the first answer."""
        transport: httpx2.BaseTransport = httpx2.HTTPTransport(verify=self.tls())
        if self.connect_to:
            transport = _Elsewhere(transport, *self.connect_to)
        return httpx2.Client(base_url=self.url, transport=transport, timeout=ANSWER_SECONDS)


class _Elsewhere(httpx2.BaseTransport):
    """Connects to another address than the URL names; Host header and TLS name stay those of the URL."""

    def __init__(self, transport: httpx2.BaseTransport, host: str, port: int) -> None:
        self._transport = transport
        self._host = host
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        # A request of its own: the client keeps cookies under the name in the URL of the one it made.
        elsewhere = httpx2.Request(
            request.method,
            request.url.copy_with(host=self._host, port=self._port),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        return self._transport.handle_request(elsewhere)

    def close(self) -> None:
        self._transport.close()
