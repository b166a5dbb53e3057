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
from typing import Any

import pytest
import yaml

from .rules import Automation
from .tree import ROOT, WORKFLOWS

SCRIPT = ROOT / ".github/actions/access/kubeconfig.py"
CLUSTERS = [
    {"id": "one", "name": "other", "region": "nyc1"},
    {"id": "two", "name": "hackathon-todo", "region": "nyc1"},
]
LIST, CREDENTIALS = "/v2/kubernetes/clusters", "/v2/kubernetes/clusters/two/credentials"
TOKEN = "/api/v1/namespaces/staging/serviceaccounts/deployer/token"


@contextmanager
def api(token: str) -> Iterator[tuple[str, list[str]]]:
    """Serves two clusters to one token, and accounts to the administrator; yields URL and requests."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(token, {LIST: {"kubernetes_clusters": CLUSTERS}, CREDENTIALS: self.credentials()})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requested.append(f"{body['kind']} of {body['spec']['expirationSeconds']} s")
            self.answer("administrator", {TOKEN: {"status": {"token": "deployer"}}})

        def credentials(self) -> dict[str, str]:
            url = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]  # an HTTPServer
            return {"server": url, "certificate_authority_data": "", "token": "administrator"}

        def answer(self, wanted: str, answers: dict[str, Any]) -> None:
            requested.append(self.path)
            path = self.path.partition("?")[0]
            is_known = self.headers["Authorization"] == f"Bearer {wanted}"
            self.send_response(401 if not is_known else 200 if path in answers else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(path)).encode() if is_known else b"")

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
    variables = {
        "CONTEXT": "do-nyc1-hackathon-todo",
        "DIGITALOCEAN_ACCESS_TOKEN": "right",
        "SERVICE_ACCOUNT": "staging/deployer",
    } | environment
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(target)],
        env={**os.environ, "DIGITALOCEAN_API_URL": url, "no_proxy": "127.0.0.1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_kubeconfig_holds_a_token_of_the_account_and_is_for_its_owner_only(tmp_path: Path) -> None:
    """The cluster is found by its context; the administrator's token is only used to ask for the other."""
    target = tmp_path / "kube/config"
    with api("right") as (url, requested):
        result = run(target, url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    config = yaml.safe_load(target.read_text())
    assert config["users"] == [{"name": "do-nyc1-hackathon-todo", "user": {"token": "deployer"}}]
    assert config["clusters"][0]["cluster"]["server"] == url
    assert config["current-context"] == "do-nyc1-hackathon-todo"
    assert target.stat().st_mode & 0o777 == 0o600
    expected = [LIST, CREDENTIALS, "TokenRequest of 7200 s", TOKEN]
    assert [path.partition("?")[0] for path in requested] == expected


def test_credentials_expire_after_the_longest_job(tmp_path: Path) -> None:
    """The credentials are valid for the longest job, not for the week of the API's default."""
    with api("right") as (url, requested):
        run(tmp_path / "config", url)
    valid_seconds = int(requested[1].partition("expiry_seconds=")[2])
    jobs = [job for path in WORKFLOWS for job in Automation(path.read_text()).jobs.values()]
    assert 60 * max(job["timeout-minutes"] for job in jobs) < valid_seconds < 24 * 60 * 60


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CONTEXT": "do-fra1-todo"}, "the token sees: do-nyc1-hackathon-todo, do-nyc1-other."),
        ({"DIGITALOCEAN_ACCESS_TOKEN": "wrong"}, "DigitalOcean refused (401 Unauthorized)"),
        (
            {"SERVICE_ACCOUNT": "staging/deploer"},
            "The cluster refused (404 Not Found). It must have the account",
        ),
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
