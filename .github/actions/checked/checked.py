"""Says whether the checks of the commit that is checked out are green; ends with an error if they must be.

    IS_REQUIRED=true GITHUB_TOKEN=... GITHUB_API_URL=... GITHUB_REPOSITORY=OWNER/NAME GITHUB_OUTPUT=FILE \
        python checked.py

The checks are those of the job `Checks`, which deploy-staging.yml runs for every push to main. A release
commit may have none, because a push with the job's own token starts no workflow. The commit below it counts
instead: a release writes only version, digests and changelog. The answer is the output `is-green`. It
uses the standard library only.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PREFIX = "Checks / "  # a job of a called workflow is named after the calling job
ANSWER_SECONDS = 30


def git(*arguments: str) -> str:
    """Returns the output of git.

    Raises:
        SystemExit: Git failed.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def checked_commit() -> str:
    """Returns the last commit that is no tagged release commit."""
    commit = git("rev-parse", "HEAD")
    while git("log", "-1", "--format=%s", commit).startswith("release: ") and git(
        "tag", "--points-at", commit, "--list", "v[0-9]*"
    ):
        commit = git("rev-parse", f"{commit}^")
    return commit


def check_runs(commit: str) -> list[Any]:
    """Returns the last run of every check of a commit.

    Raises:
        SystemExit: GitHub is not reachable or refuses the request.
    """
    repository = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    request = urllib.request.Request(  # noqa: S310  # GitHub sets the URL
        f"{repository}/commits/{commit}/check-runs?filter=latest&per_page=100",
        headers={"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310  # as above
            runs: list[Any] = json.load(response)["check_runs"]
            return runs
    except urllib.error.HTTPError as error:
        raise SystemExit(
            f"GitHub refused ({error.code} {error.reason}). The job needs `checks: read`."
        ) from error
    except OSError as error:
        raise SystemExit(f"GitHub did not answer: {error}. Run the job again.") from error


def find_problem(commit: str) -> str | None:
    """Returns what is wrong with the checks of a commit, None if they are green.

    Raises:
        SystemExit: GitHub is not reachable or refuses the request.
    """
    results = {run["name"]: run["conclusion"] or run["status"] for run in check_runs(commit)}
    checks = {name: result for name, result in results.items() if name.startswith(PREFIX)}
    if not checks:
        return f"No check has run for {commit}. Run the workflow `Deploy to staging` of that commit."
    failed = sorted(
        f"{name.removeprefix(PREFIX)} ({result})" for name, result in checks.items() if result != "success"
    )
    if failed:
        return f"The checks of {commit} are not green: {', '.join(failed)}. Wait, or correct them."
    return None


def main() -> None:
    """Writes the output.

    Raises:
        SystemExit: They are required, and a check failed, has not ended, or none has run.
    """
    problem = find_problem(checked_commit())
    if problem and os.environ["IS_REQUIRED"] == "true":
        raise SystemExit(problem)
    if problem:
        sys.stdout.write(f"::notice::The branch has moved on. {problem} Its own run deploys it.\n")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"is-green={'false' if problem else 'true'}\n")


if __name__ == "__main__":
    main()
