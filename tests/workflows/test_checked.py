"""The action's script checked.py, run as the workflow runs it, against a double of GitHub's API."""

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
from .tree import ROOT

SCRIPT = ROOT / ".github/actions/checked/checked.py"
GREEN = [("Checks / tests", "success"), ("Checks / lint", "success"), ("Staging", "failure")]


@contextmanager
def api(runs: dict[str, list[tuple[str, str | None]]]) -> Iterator[str]:
    """Serves the check runs of commits, as name and conclusion."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            commit = self.path.split("/")[5]
            found = [
                {"name": name, "conclusion": conclusion, "status": "in_progress"}
                for name, conclusion in runs.get(commit, [])
            ]
            self.send_response(200 if self.headers["Authorization"] == "Bearer right" else 403)
            self.end_headers()
            self.wfile.write(json.dumps({"check_runs": found}).encode())

        def log_message(self, *_: object) -> None:
            """Writes nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Clone:
    """A git repository with one commit on main."""

    def __init__(self, path: Path) -> None:
        """Creates it."""
        self.path, self.output_file = path, path.parent / "output"
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("web: Change.")

    def git(self, *arguments: str) -> str:
        """Runs git and returns its output."""
        identity = {
            f"GIT_{role}_{part}": "r@example.com"
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | identity)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Makes an empty commit and returns its id."""
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    @property
    def output(self) -> str:
        """The outputs that the script wrote."""
        return self.output_file.read_text() if self.output_file.exists() else ""

    def run(
        self, url: str, *, is_known: bool = True, is_required: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs the script in it, with a token that GitHub knows or not."""
        variables = {
            "GITHUB_API_URL": url,
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_TOKEN": "right" if is_known else "wrong",
            "GITHUB_OUTPUT": str(self.output_file),
            "IS_REQUIRED": str(is_required).lower(),
        }
        return subprocess.run(
            [sys.executable, str(SCRIPT)],
            cwd=self.path,
            env={**os.environ, "no_proxy": "127.0.0.1", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Returns a clone in which nothing was released."""
    path = tmp_path / "clone"
    path.mkdir()
    return Clone(path)


def test_commit_with_green_checks_is_released(clone: Clone) -> None:
    """Other jobs of the same commit do not count."""
    with api({clone.git("rev-parse", "HEAD"): GREEN}) as url:
        result = clone.run(url)
    assert (result.returncode, result.stderr) == (0, "")
    assert clone.output == "is-green=true\n"


def test_checks_of_the_commit_below_a_release_count(clone: Clone) -> None:
    """A release commit, and a second one on it, have no checks of their own."""
    checked = clone.git("rev-parse", "HEAD")
    for version in ("0.1.0-rc.1", "0.1.0"):
        clone.commit(f"release: {version}.")
        clone.git("tag", f"v{version}")
    with api({checked: GREEN}) as url:
        assert clone.run(url).returncode == 0


def test_commit_that_only_calls_itself_a_release_needs_its_own_checks(clone: Clone) -> None:
    """Without the engine's tag the message proves nothing."""
    checked = clone.git("rev-parse", "HEAD")
    clone.commit("release: 0.1.0.")
    with api({checked: GREEN}) as url:
        assert clone.run(url).returncode == 1


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "No check has run for "),
        ([("Staging", "success")], "No check has run for "),
        ([*GREEN, ("Checks / types", "failure")], "are not green: types (failure)."),
        ([*GREEN, ("Checks / types", None)], "are not green: types (in_progress)."),
    ],
)
def test_commit_without_green_checks_is_refused(
    clone: Clone, runs: list[tuple[str, str | None]], message: str
) -> None:
    """The error is one sentence that names the checks."""
    with api({clone.git("rev-parse", "HEAD"): runs}) as url:
        result = clone.run(url)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_commit_whose_checks_still_run_is_left_to_its_own_run(clone: Clone) -> None:
    """Where green checks are not required, the job goes on without deploying, and says why."""
    commit = clone.git("rev-parse", "HEAD")
    with api({commit: [*GREEN, ("Checks / types", None)]}) as url:
        result = clone.run(url, is_required=False)
    assert (result.returncode, clone.output) == (0, "is-green=false\n")
    assert result.stdout.startswith(f"::notice::The branch has moved on. The checks of {commit} are not")


def test_refusal_and_silence_of_github_are_told(clone: Clone) -> None:
    """The error names the permission, or says to run the job again."""
    with api({}) as url:
        assert "403" in clone.run(url, is_known=False).stderr
    assert "GitHub did not answer" in clone.run("http://127.0.0.1:1").stderr


def test_names_of_the_checks_are_those_of_the_workflow() -> None:
    """GitHub names a job of a called workflow after the job that calls it."""
    caller = Automation((ROOT / ".github/workflows/deploy-staging.yml").read_text()).body["jobs"]["checks"]
    assert caller["uses"].endswith("/build.yml")
    assert f'PREFIX = "{caller["name"]} / "' in SCRIPT.read_text()
