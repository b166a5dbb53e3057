"""A server of the test that stands in for pods, because the kubelets of the control plane are simulated."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEST_NETWORK = ("192.0.2.1", 9)  # RFC 5737; a UDP socket that is connected to it sends nothing
Answer = Callable[[str], tuple[int, str, str]]
"""Returns status, content type and text for a path with its query."""


def address() -> str:
    """Returns this machine's address on its network; the API server asks no loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(TEST_NETWORK)
        return str(probe.getsockname()[0])


@contextmanager
def serve(answer: Answer) -> Iterator[int]:
    """Serves on a free port of every address of this machine while the block runs; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, text = answer(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Drops the line."""

    with ThreadingHTTPServer(("", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
