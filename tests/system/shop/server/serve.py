"""Serves `/SERVICE` with the build id and the page, and `/healthz` with the STATUS variable.

On SIGTERM it reports itself unready and answers for DRAIN_SECONDS more, until the ingress sends no requests.
"""

import json
import os
import signal
import sys
import threading
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


class Handler(BaseHTTPRequestHandler):
    """Answers with JSON."""

    def do_GET(self) -> None:
        """Sends the answer of the path."""
        answer = ANSWERS.get(self.path)
        body = json.dumps(answer).encode()
        status = 503 if self.path == "/healthz" and draining.is_set() else 200
        self.send_response(status if answer else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Logs no requests of the kubelet's probes."""
        if self.path != "/healthz":
            super().log_request(code, size)


def drain(*_: object) -> None:
    """Ends the server after the drain time, from another thread because `shutdown` waits."""
    draining.set()
    threading.Timer(float(os.environ.get("DRAIN_SECONDS", "0")), server.shutdown).start()


draining = threading.Event()
server = ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, drain)  # process 1 has no default handler
sys.stdout.write(f"{SERVICE} serves\n")
sys.stdout.flush()
server.serve_forever(poll_interval=0.05)
