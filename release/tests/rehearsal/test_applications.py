"""Two applications of other people, as they might be found, are described by `init` and rehearsed.

`applications/` has them as data; see the README there. Everything is done by the installed program, in a
repository that holds nothing else, as their maintainers would do it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..shop import GIT_SETTINGS, Tree

APPLICATIONS = Path(__file__).parent / "applications"
PROGRAM = Path(sys.executable).with_name("todo-release")
MINUTES = 60
WEATHER_CORRECTIONS = {
    """\
  europe:
    context: context-of-europe  # of the kubeconfig
    namespace: weather-europe
    release: weather-europe
    values: [helm/values.yaml, helm/values-europe.yaml]
    url: https://europe.weather.example.com
""": "",
    "    requires: europe  # gets only what was verified there\n": "",
    "[helm/values.yaml, helm/values-staging.yaml]": (
        "[helm/values.yaml, helm/values-europe.yaml, helm/values-staging.yaml]"
    ),
    "[helm/values.yaml, helm/values-production.yaml]": (
        "[helm/values.yaml, helm/values-europe.yaml, helm/values-production.yaml]"
    ),
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program in a folder, on a machine without a kubeconfig."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, **GIT_SETTINGS, "KUBECONFIG": "/dev/null", "GITHUB_ACTIONS": "", "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=15 * MINUTES,
    )


def described(name: str, folder: Path, corrections: dict[str, str], rest: str = "") -> Tree:
    """Returns the application in a repository, with the release.yaml of `init`, corrected as it asks for.

    * Describe the releases (HEAD -> main)
    * The application
    """
    shutil.copytree(APPLICATIONS / name, folder)
    tree = Tree(folder)
    tree.git("init", "--quiet", "--initial-branch=main")
    tree.commit("The application")
    assert run(folder, "init").returncode == 0
    text = (folder / "release.yaml").read_text()
    for found, corrected in corrections.items():
        assert found in text
        text = text.replace(found, corrected)
    tree.commit("Describe the releases", {"release.yaml": text + rest})
    return tree


def rehearse(tree: Tree, version: str) -> dict[str, Any]:
    """Rehearses a release, which must succeed and change nothing; returns its report."""
    done = run(tree.path, "rehearse", f"--version={version}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree.git("status", "--porcelain") == ""
    assert tree.git("tag") == ""
    report: dict[str, Any] = json.loads((tree.path / f".release/rehearsal/{version}/report.json").read_text())
    assert report["would_succeed"] is True
    return report


def findings_of(report: dict[str, Any], environment: str) -> set[tuple[str, str, str]]:
    """Returns severity, check and object of what preflight found of the released version, without notes."""
    return {
        (finding["severity"], finding["check"], finding["object"])
        for inspection in report["preflight"]
        for finding in inspection["findings"]
        if inspection["environment"] == environment and finding["severity"] != "note"
    }


@pytest.mark.slow
def test_library_with_dependencies_hooks_volumes_and_one_tag_would_be_released(tmp_path: Path) -> None:
    """`init` finds the chart among its parts; only the database's password must be added."""
    secrets = "rehearsal: {secrets: {library-database: {password: ''}}}\n"
    report = rehearse(described("library", tmp_path / "library", {}, secrets), "2.4.0")
    assert [phase["exit_code"] for phase in report["phases"]] == [0, 0, 0, 0]
    assert {"Commit 2.4.0", "Deploy 2.4.0 to production"} <= report["steps"].keys()
    assert findings_of(report, "production") == {
        ("warning", "images", "Deployment/library-website"),
        ("warning", "images", "Deployment/library-indexer"),
        ("warning", "images", "StatefulSet/library-catalogue"),
    }


@pytest.mark.slow
def test_weather_with_texts_as_images_lookups_and_conditions_would_be_released(tmp_path: Path) -> None:
    """Europe is no environment, as `init` takes it for: its values belong to both; only one has the board."""
    tree = described("weather", tmp_path / "weather", WEATHER_CORRECTIONS)
    report = rehearse(tree, "1.0.0")
    assert [phase["exit_code"] for phase in report["phases"]] == [0, 0, 0, 0]
    assert {"Deploy 1.0.0 to staging", "Deploy 1.0.0 to production"} <= report["steps"].keys()
    assert findings_of(report, "staging") == set()
    assert findings_of(report, "production") == {("warning", "images", "Deployment/weather-board")}
