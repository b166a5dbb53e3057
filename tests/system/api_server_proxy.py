"""A way to the API server that a test can interrupt, while the cluster itself goes on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml


class ApiServerProxy:
    """Passes TCP connections on to an API server, whose certificate has to name 127.0.0.1."""

    def __init__(self, kubeconfig: Path) -> None:
        """Takes the kubeconfig whose current context names the server."""
        self._config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        server = urlsplit(self._config["clusters"][0]["cluster"]["server"])
        self._target = (server.hostname, server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._changing = threading.Lock()
        self._is_open = True

    @classmethod
    @contextmanager
    def started(cls, kubeconfig: Path) -> Iterator[Self]:
        """Passes connections on while the block runs."""
        proxy = cls(kubeconfig)
        threading.Thread(target=proxy._accept, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy._listener.shutdown(socket.SHUT_RDWR)
            proxy._listener.close()
            proxy._cut()

    def kubeconfig(self, path: Path) -> Path:
        """Writes a kubeconfig that leads through the proxy, and returns its path."""
        self._config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._port}"
        path.write_text(yaml.safe_dump(self._config), encoding="utf-8")
        return path

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """Cuts all connections, and each new one, while the block runs."""
        with self._changing:
            self._is_open = False
        self._cut()
        try:
            yield
        finally:
            with self._changing:
                self._is_open = True

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                near, _ = self._listener.accept()
                with self._changing:
                    if not self._is_open:
                        near.close()
                        continue
                    far = socket.create_connection(self._target)
                    self._connections += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()

    def _cut(self) -> None:
        with self._changing:
            for connection in self._connections:
                with suppress(OSError), connection:
                    connection.shutdown(socket.SHUT_RDWR)
            self._connections.clear()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
