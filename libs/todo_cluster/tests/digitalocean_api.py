"""A double of the used part of DigitalOcean's API, over HTTP, with the fields of its OpenAPI document."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "dop_v1_secret"


@dataclass
class AccountDouble:
    """One account: its clusters, what is on offer, and every request as `METHOD path`.

    A new cluster runs once it was asked for `provisioning_reads` times. `refusal` is the status of every
    answer.
    """

    url: str = ""
    clusters: list[dict[str, Any]] = field(default_factory=list)
    versions: tuple[str, ...] = ("1.36.1-do.0", "1.35.4-do.1", "1.35.3-do.0", "1.34.9-do.0")
    kubeconfig: str = ""
    provisioning_reads: int = 1
    refusal: int = 0
    requests: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Returns status and body of the answer to a request."""
        parts = urlsplit(target)
        self.requests.append(f"{method} {target}")
        if body is not None:
            self.bodies.append(body)
        if self.refusal:
            return self.refusal, {"id": "error", "message": "not today"}
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        found: Any = None
        match method, parts.path.removeprefix("/v2/").split("/"):
            case "GET", ["kubernetes", "clusters"]:
                found = self._page(self.clusters, "kubernetes_clusters", query)
            case "POST", ["kubernetes", "clusters"]:
                found = {"kubernetes_cluster": self._create(body)}
            case "GET", ["kubernetes", "clusters", _identifier]:
                found = {"kubernetes_cluster": self._poll()}
            case "PUT", ["kubernetes", "clusters", _identifier, "node_pools", _pool]:
                self.clusters[0]["node_pools"][0] = {**self._kept(), **body}
                found = {"node_pool": self.clusters[0]["node_pools"][0]}
            case "GET", ["kubernetes", "clusters", _identifier, "kubeconfig"]:
                found = self.kubeconfig
            case "GET", ["kubernetes", "options"]:
                found = {"options": {"versions": [{"slug": slug} for slug in self.versions]}}
            case "GET", ["sizes"]:
                found = self._page([{"slug": "s-2vcpu-4gb", "price_monthly": 26.0}], "sizes", query)
        return (404, {"id": "not_found", "message": parts.path}) if found is None else (200, found)

    def _page(self, items: list[Any], key: str, query: dict[str, str]) -> dict[str, Any]:
        number, size = int(query["page"]), 1  # pages of one item, so that the client must ask for the next
        pages = {"next": "..."} if number * size < len(items) else {}
        return {key: items[(number - 1) * size : number * size], "links": {"pages": pages}}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        pools = [{**pool, "id": "pool-1", "tags": ["k8s"], "labels": None} for pool in body["node_pools"]]
        made = {**body, "id": "cluster-1", "node_pools": pools, "status": {"state": "provisioning"}}
        self.clusters.append(made)
        return made

    def _poll(self) -> dict[str, Any]:
        self.provisioning_reads -= 1
        if self.provisioning_reads <= 0 and self.clusters[-1]["status"]["state"] == "provisioning":
            self.clusters[-1]["status"] = {"state": "running"}
        return self.clusters[-1]

    def _kept(self) -> dict[str, Any]:
        pool = self.clusters[0]["node_pools"][0]
        return {key: pool[key] for key in ("id", "size")}


@contextmanager
def serve(account: AccountDouble) -> Iterator[AccountDouble]:
    """Serves the account's API on a free port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            is_known = self.headers.get("authorization") == f"Bearer {TOKEN}"
            status, answer = (
                account.answer(self.command, self.path, body)
                if is_known
                else (401, {"message": "Unable to authenticate you"})
            )
            content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            """Answers a read."""
            self._handle()

        def do_POST(self) -> None:
            """Answers a creation."""
            self._handle()

        def do_PUT(self) -> None:
            """Answers a replacement."""
            self._handle()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
            """Drops the line."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        account.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield account
        finally:
            server.shutdown()
            thread.join()
