"""The public URL of an environment, and how TLS and HTTP connections to it are made."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

RESPONSE_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HttpOrigin:
    """Where the environment is reached: its URL, and how a connection to it is made.

    `connect_to` (host, port) replaces the address that connections go to; Host header and TLS name stay those
    of the URL. `ca_file` is trusted in addition to the system's authorities.
    """

    url: str
    connect_to: tuple[str, int] | None = None
    ca_file: Path | None = None

    @property
    def host(self) -> str:
        """The name in the URL."""
        return urlsplit(self.url).hostname or ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that a TLS connection goes to."""
        return self.connect_to or (self.host, urlsplit(self.url).port or 443)

    def tls(self) -> ssl.SSLContext:
        """Returns a context that trusts the system's authorities and `ca_file`, and checks names."""
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context

    def client(self) -> httpx2.Client:
        """Returns a client for this URL; it does not follow redirects: a check sees the first answer."""
        transport: httpx2.BaseTransport = httpx2.HTTPTransport(verify=self.tls())
        if self.connect_to:
            transport = _RedirectedTransport(transport, *self.connect_to)
        return httpx2.Client(base_url=self.url, transport=transport, timeout=RESPONSE_TIMEOUT_SECONDS)


class _RedirectedTransport(httpx2.BaseTransport):
    """Connects to another address than the URL names; Host header and TLS name stay those of the URL."""

    def __init__(self, transport: httpx2.BaseTransport, host: str, port: int) -> None:
        self._transport = transport
        self._host = host
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        redirected = httpx2.Request(
            request.method,
            request.url.copy_with(host=self._host, port=self._port),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        return self._transport.handle_request(redirected)

    def close(self) -> None:
        self._transport.close()
