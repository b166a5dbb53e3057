"""Serves `/SERVICE`, which build answers and what stands in its page, and `/healthz`, which says $STATUS.

Told to end, it calls itself unready and answers for $DRAIN_SECONDS more, until the ingress has heard of it.
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
        """Look the path up."""
        found = ANSWERS.get(self.path)
        body = json.dumps(found).encode()
        status = 503 if self.path == "/healthz" and draining.is_set() else 200
        self.send_response(status if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Leave the kubelet's questions out."""
        if self.path != "/healthz":
            super().log_request(code, size)


def drain(*_: object) -> None:
    """`shutdown` waits for `serve_forever`, so it is called from another thread."""
    draining.set()
    threading.Timer(float(os.environ.get("DRAIN_SECONDS", "0")), server.shutdown).start()


draining = threading.Event()
server = ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, drain)  # process 1 has no default handler
sys.stdout.write(f"{SERVICE} serves\n")
sys.stdout.flush()
server.serve_forever(poll_interval=0.05)
