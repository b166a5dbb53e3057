"""A sample application for a local run: a tiny frontend that npm can build, empty services."""

import json
from pathlib import Path

import yaml

from todo_embedded.ports import free_port

SERVER = """
const http = require("node:http");
const { GREETING, HOSTNAME, PORT } = process.env;
http.createServer((_, answer) => answer.end(GREETING)).listen(PORT, HOSTNAME);
"""
DEPENDENCIES = {"greeting": "file:greeting"}
LOCK = {
    "name": "tiny",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "tiny", "dependencies": DEPENDENCIES},
        "greeting": {"version": "1.0.0"},
        "node_modules/greeting": {"resolved": "greeting", "link": True},
    },
}
BUILD = "mkdir -p .next/standalone && cp src/* .next/standalone"

SERVICE = """
import json, os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if self.path.startswith("/dapr") else 200)
        self.end_headers()
    def log_message(self, *_):
        pass

if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"level": "info", "event": "serving", "issuer": os.environ["JWT_ISSUER"]}), flush=True)
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def write_frontend(folder: Path) -> Path:
    """Writes a project with one dependency, which lies in the project itself.

    .
    ├── package.json         its build copies src/ to .next/standalone
    ├── package-lock.json
    ├── greeting/package.json
    └── src/server.js migrate.mjs
    """
    for name in ("greeting", "src"):
        (folder / name).mkdir(parents=True)
    package = {"name": "tiny", "scripts": {"build": BUILD}, "dependencies": DEPENDENCIES}
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "package-lock.json").write_text(json.dumps(LOCK))
    (folder / "greeting" / "package.json").write_text(json.dumps({"name": "greeting", "version": "1.0.0"}))
    (folder / "src" / "server.js").write_text(SERVER)
    (folder / "src" / "migrate.mjs").write_text("process.exit(process.env.DATABASE_URL ? 0 : 4);")
    return folder


def write_repository(root: Path) -> Path:
    """Writes a repository whose services only answer their probes, on ports that are free now.

    .
    ├── dapr.yaml            four services with a sidecar; mcp ignores SIGTERM
    ├── resources/           no components
    └── services/
        ├── backend/ mcp/ notification/ sse-gateway/     server.py
        └── frontend/
    """
    (root / "resources").mkdir()
    apps = []
    for service in ("backend", "mcp", "notification", "sse-gateway"):
        folder = root / "services" / service
        folder.mkdir(parents=True)
        (folder / "server.py").write_text(SERVICE)
        apps.append(
            {
                "appID": service,
                "appDirPath": f"services/{service}",
                "command": ["python", "server.py", "stubborn" if service == "mcp" else "obedient"],
                "appPort": free_port(),
                "daprHTTPPort": free_port(),
                "daprGRPCPort": free_port(),
                "daprInternalGRPCPort": free_port(),
                "metricsPort": free_port(),
            }
        )
    run_file = {"version": 1, "common": {"resourcesPaths": ["resources"]}, "apps": apps}
    (root / "dapr.yaml").write_text(yaml.safe_dump(run_file))
    write_frontend(root / "services" / "frontend")
    return root
