"""Serves `/SERVICE` with the build id and the page, `/healthz` with the STATUS variable, and `/metrics`.

After FAIL_AFTER answers `/SERVICE` answers 500, if the variable is set. On SIGTERM it reports itself unready
and answers for DRAIN_SECONDS more, until the ingress sends no requests.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVICE = os.environ["SERVICE"]
HEALTH = {"status": os.environ.get("STATUS", "ok"), "service": SERVICE}
ANSWERS = {
    "/healthz": HEALTH,
    f"/{SERVICE}/healthz": HEALTH,
    f"/{SERVICE}": {
        "service": SERVICE,
        "build": os.environ["BUILD_ID"],
        "page": Path(__file__).with_name("page.txt").read_text(encoding="utf-8").strip(),
        "greeting": os.environ["GREETING"],
    },
}
FAIL_AFTER = int(os.environ.get("FAIL_AFTER") or sys.maxsize)


class Handler(BaseHTTPRequestHandler):
    """Answers with JSON."""

    def do_GET(self) -> None:
        """Sends the answer of the path."""
        if self.path == "/metrics":
            self._send(200, metrics().encode())
            return
        answer = ANSWERS.get(self.path)
        status = 503 if self.path == "/healthz" and draining.is_set() else 200 if answer else 404
        with counting:
            if self.path == f"/{SERVICE}" and answered[self.path, 200] >= FAIL_AFTER:
                status = 500
            answered[self.path if answer else "none", status] += 1
        self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Logs no requests of the kubelet's probes, nor for metrics."""
        if self.path not in {"/healthz", "/metrics"}:
            super().log_request(code, size)


def metrics() -> str:
    """Returns how many requests were answered, in the Prometheus text format."""
    with counting:
        counts = sorted(answered.items())
    lines = [
        f'http_requests_total{{handler="{path}",status="{status}"}} {count}'
        for (path, status), count in counts
    ]
    return "\n".join(["# TYPE http_requests_total counter", *lines, ""])


def drain(*_: object) -> None:
    """Ends the server after the drain time, from another thread because `shutdown` waits."""
    draining.set()
    threading.Timer(float(os.environ.get("DRAIN_SECONDS", "0")), server.shutdown).start()


draining, counting = threading.Event(), threading.Lock()
answered: Counter[tuple[str, int]] = Counter()
server = ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, drain)  # process 1 has no default handler
sys.stdout.write(f"{SERVICE} serves\n")
sys.stdout.flush()
server.serve_forever(poll_interval=0.05)
