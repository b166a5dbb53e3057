"""The address of a running application, and HTTP clients for it."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx2

RESPONSE_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the application is reached: its URL, and how a connection to it is made.

    `connect_to` (host, port) replaces the address that connections go to; Host header and TLS name stay those
    of the URL. `ca_file` is trusted in addition to the system's authorities.
    """

    url: str
    connect_to: tuple[str, int] | None = None
    ca_file: Path | None = None

    def client(self) -> httpx2.Client:
        """Returns a client with this URL as its base; it does not follow redirects."""
        transport = _ConnectToTransport(self._tls(), self.connect_to)
        return httpx2.Client(base_url=self.url, transport=transport, timeout=RESPONSE_TIMEOUT_SECONDS)

    def async_client(self) -> httpx2.AsyncClient:
        """Returns the same for asyncio."""
        transport = _AsyncConnectToTransport(self._tls(), self.connect_to)
        return httpx2.AsyncClient(base_url=self.url, transport=transport, timeout=RESPONSE_TIMEOUT_SECONDS)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context


class _ConnectToTransport(httpx2.HTTPTransport):
    """Connects to `connect_to`, if given, whatever address the URL names."""

    def __init__(self, context: ssl.SSLContext, connect_to: tuple[str, int] | None) -> None:
        super().__init__(verify=context)
        self._connect_to = connect_to

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(_redirected(request, self._connect_to))


class _AsyncConnectToTransport(httpx2.AsyncHTTPTransport):
    """The same for asyncio."""

    def __init__(self, context: ssl.SSLContext, connect_to: tuple[str, int] | None) -> None:
        super().__init__(verify=context)
        self._connect_to = connect_to

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await super().handle_async_request(_redirected(request, self._connect_to))


def _redirected(request: httpx2.Request, connect_to: tuple[str, int] | None) -> httpx2.Request:
    if connect_to is None:
        return request
    host, port = connect_to
    # A new request, because the client files cookies under the URL of the request that it made itself.
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=host, port=port),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


def parse_address(text: str) -> tuple[str, int]:
    """Returns host and port of `host:port` or `[ipv6]:port`.

    Raises:
        ValueError: the text has another form.
    """
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal():
        raise ValueError(f"{text!r} is not host:port")
    return host.strip("[]"), int(port)
