"""The action's script kubeconfig.py, run as the workflow runs it, against a double of DigitalOcean's API."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from .rules import Automation
from .tree import ROOT, WORKFLOWS

SCRIPT = ROOT / ".github/actions/access/kubeconfig.py"
CLUSTERS = [
    {"id": "one", "name": "other", "region": "nyc1"},
    {"id": "two", "name": "hackathon-todo", "region": "nyc1"},
]
LIST, CONFIG = "/v2/kubernetes/clusters", "/v2/kubernetes/clusters/two/kubeconfig"


@contextmanager
def api(token: str) -> Iterator[tuple[str, list[str]]]:
    """Serves two clusters to one token; yields the URL and the list of requested paths."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            path = self.path.partition("?")[0]
            is_known = self.headers["Authorization"] == f"Bearer {token}"
            answers = {LIST: json.dumps({"kubernetes_clusters": CLUSTERS}), CONFIG: "kind: Config\n"}
            self.send_response(401 if not is_known else 200 if path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(path, "").encode() if is_known else b"")

        def log_message(self, *_: object) -> None:
            """Writes nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requested
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(target: Path, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the script."""
    variables = {"CONTEXT": "do-nyc1-hackathon-todo", "DIGITALOCEAN_ACCESS_TOKEN": "right"} | environment
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(target)],
        env={**os.environ, "DIGITALOCEAN_API_URL": url, "no_proxy": "127.0.0.1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_kubeconfig_of_the_cluster_is_written_for_its_owner_only(tmp_path: Path) -> None:
    """The cluster is found by its context, and only the owner can read the file."""
    target = tmp_path / "kube/config"
    with api("right") as (url, requested):
        result = run(target, url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert target.read_text() == "kind: Config\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.partition("?")[0] for path in requested] == [LIST, CONFIG]


def test_credentials_expire_after_the_longest_job(tmp_path: Path) -> None:
    """The credentials are valid for the longest job, not for the week of the API's default."""
    with api("right") as (url, requested):
        run(tmp_path / "config", url)
    valid_seconds = int(requested[-1].partition("expiry_seconds=")[2])
    jobs = [job for path in WORKFLOWS for job in Automation(path.read_text()).jobs.values()]
    assert 60 * max(job["timeout-minutes"] for job in jobs) < valid_seconds < 24 * 60 * 60


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CONTEXT": "do-fra1-todo"}, "the token sees: do-nyc1-hackathon-todo, do-nyc1-other."),
        ({"DIGITALOCEAN_ACCESS_TOKEN": "wrong"}, "DigitalOcean refused (401 Unauthorized)"),
        ({"DIGITALOCEAN_API_URL": "http://127.0.0.1:1"}, "DigitalOcean did not answer"),
    ],
)
def test_error_is_reported_and_nothing_is_written(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    """The error is one sentence without the token."""
    with api("right") as (url, _):
        result = run(tmp_path / "config", url, **environment)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "wrong" not in result.stderr
    assert not (tmp_path / "config").exists()
