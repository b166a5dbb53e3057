"""The action's script, run as the workflow runs it, against an API that answers as documented."""

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
    """The address of an API that knows two clusters and one token, and the paths it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            path = self.path.partition("?")[0]
            is_known = self.headers["Authorization"] == f"Bearer {token}"
            answers = {LIST: json.dumps({"kubernetes_clusters": CLUSTERS}), CONFIG: "kind: Config\n"}
            self.send_response(401 if not is_known else 200 if path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(path, "").encode() if is_known else b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(target: Path, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    given = {"CONTEXT": "do-nyc1-hackathon-todo", "DIGITALOCEAN_ACCESS_TOKEN": "right"} | environment
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(target)],
        env={**os.environ, "DIGITALOCEAN_API_URL": url, "no_proxy": "127.0.0.1", **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_kubeconfig_of_the_cluster_is_written_for_its_owner_only(tmp_path: Path) -> None:
    """Found by its context among all that the token sees."""
    target = tmp_path / "kube/config"
    with api("right") as (url, asked):
        done = run(target, url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_text() == "kind: Config\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.partition("?")[0] for path in asked] == [LIST, CONFIG]


def test_credentials_expire_after_the_longest_job(tmp_path: Path) -> None:
    """And not after the week that the API gives by itself."""
    with api("right") as (url, asked):
        run(tmp_path / "config", url)
    valid_seconds = int(asked[-1].partition("expiry_seconds=")[2])
    jobs = [job for path in WORKFLOWS for job in Automation(path.read_text()).jobs.values()]
    assert 60 * max(job["timeout-minutes"] for job in jobs) < valid_seconds < 24 * 60 * 60


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CONTEXT": "do-fra1-todo"}, "the token sees: do-nyc1-hackathon-todo, do-nyc1-other."),
        ({"DIGITALOCEAN_ACCESS_TOKEN": "wrong"}, "DigitalOcean refused (401 Unauthorized)"),
        ({"DIGITALOCEAN_API_URL": "http://127.0.0.1:1"}, "DigitalOcean did not answer"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    environment: dict[str, str], told: str, tmp_path: Path
) -> None:
    """One sentence, never the token."""
    with api("right") as (url, _):
        done = run(tmp_path / "config", url, **environment)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "wrong" not in done.stderr
    assert not (tmp_path / "config").exists()
