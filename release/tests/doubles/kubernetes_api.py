"""A double of a Kubernetes API server: objects in memory with resource versions, served over HTTP."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote_plus, urlsplit

import yaml

AGGREGATED_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
EVERY_NAMESPACE = re.compile(r"/namespaces/[^/]+/")  # a list without a namespace is of all namespaces


@dataclass
class ApiDouble:
    """The state of the server.

    `objects` are by path and `logs` by (path, previous). `behind` are the answers of pods and Services
    through the proxy, by path with the decoded query. `refusal` is a status for every answer, `refused` one
    for single paths. `requests` records the paths of GET requests that are not Helm's, `accepted` their
    Accept headers.
    """

    url: str = ""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[tuple[str, bool], str] = field(default_factory=dict)
    behind: dict[str, str] = field(default_factory=dict)
    refusal: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    version: int = 0

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Stores an object with the next resource version."""
        self.version += 1
        meta = {**body.get("metadata", {}), "resourceVersion": str(self.version)}
        self.objects[path] = {**body, "metadata": meta}
        return self.objects[path]

    def kubeconfig(self, folder: Path) -> Path:
        """Writes a kubeconfig whose context `here` leads to this server."""
        path = folder / "kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "double", "cluster": {"server": self.url}}],
            "users": [{"name": "ana", "user": {"token": "t"}}],
            "contexts": [{"name": "here", "context": {"cluster": "double", "user": "ana"}}],
        }
        path.write_text(yaml.safe_dump(document))
        return path


@contextmanager
def serve(double: ApiDouble) -> Iterator[ApiDouble]:
    """Serves the API on a free port while the block runs."""

    class Handler(_Handler):
        api = double

    with _Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        double.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # beyond the default of 5, clients wait a second before they connect again


class _Handler(BaseHTTPRequestHandler):
    api: ClassVar[ApiDouble]

    def do_GET(self) -> None:
        """Answers with an object, a list, or a log."""
        parts = urlsplit(self.path)
        path, query = parts.path.strip("/"), parse_qs(parts.query)
        previous = query.get("previous") == ["true"]
        if not self.headers.get("user-agent", "").startswith("Helm/"):
            self.api.requests.append(path)
        self.api.accepted[path] = self.headers.get("accept", "")
        if status := self.api.refusal or self.api.refused.get(path):
            self._answer(status, {"message": "not today"})
        elif "/proxy/" in path:
            asked = path + (f"?{unquote_plus(parts.query)}" if parts.query else "")
            self._answer(200 if asked in self.api.behind else 503, self.api.behind.get(asked, "no endpoints"))
        elif path.endswith("/log"):
            text = self.api.logs.get((path, previous))
            self._answer(400 if text is None else 200, text or "")
        elif path in self.api.objects:
            self._answer(200, self.api.objects[path])
        else:
            self._list(path, query.get("labelSelector", [""])[0])

    def do_POST(self) -> None:
        """Creates an object."""
        body = self._body()
        path = f"{self.path.strip('/')}/{body['metadata']['name']}"
        if path in self.api.objects:
            self._answer(409, {"message": "already exists"})
        else:
            self._answer(201, self.api.put(path, body))

    def do_PUT(self) -> None:
        """Replaces an object if its resource version is the current one."""
        body, path = self._body(), self.path.strip("/")
        if body["metadata"].get("resourceVersion") != self.api.objects[path]["metadata"]["resourceVersion"]:
            self._answer(409, {"message": "the object has been modified"})
        else:
            self._answer(200, self.api.put(path, body))

    def do_DELETE(self) -> None:
        """Deletes an object."""
        path = self.path.strip("/")
        if self.api.refusal:
            self._answer(self.api.refusal, {"message": "not today"})
        else:
            found = self.api.objects.pop(path, None)
            self._answer(200 if found else 404, {"message": "deleted" if found else "none"})

    def _list(self, path: str, selector: str) -> None:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        items = [
            body
            for name, body in self.api.objects.items()
            if path in {name.rpartition("/")[0], EVERY_NAMESPACE.sub("/", name.rpartition("/")[0])}
            and wanted.items() <= body["metadata"].get("labels", {}).items()
        ]
        is_collection = path.endswith("s") and path.count("/") != 5
        listing = {"apiVersion": "v1", "kind": "List", "items": items}
        self._answer(200, listing) if items or is_collection else self._answer(404, {"message": "none"})

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, status: int, body: Any) -> None:
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        is_discovery = isinstance(body, dict) and body.get("kind") == "APIGroupDiscoveryList"
        self.send_header("Content-Type", AGGREGATED_DISCOVERY if is_discovery else "application/json")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Drops the line."""
