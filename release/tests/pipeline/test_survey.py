"""How much a survey asks of git and of the registry, however many images there are."""

import os
import stat
import threading
from pathlib import Path

import pytest
import yaml

from ..doubles.harness import Harness
from ..shop import FILES, RELEASE_YAML, Tree

IMAGES = 12
# Once 89 and 235; they do not grow with the images.
MAX_PROCESSES_OF_A_PLAN = 30
MAX_PROCESSES_OF_A_RELEASE = 100


@pytest.fixture
def many(tree: Tree) -> Tree:
    """Returns the tree with twelve images that share a folder, and with news."""
    settings = yaml.safe_load(RELEASE_YAML)
    names = [f"service-{number}" for number in range(IMAGES)]
    settings["changelog"] = {}
    settings["images"] = {
        name: {
            "dockerfile": f"{name}/Dockerfile",
            "inputs": ["shared", f"{name}/**"],
            "exclude": [f"{name}/tests"],
            "values": f"{name}.image",
        }
        for name in names
    }
    values = {name: {"image": {"repository": "", "tag": "", "digest": ""}} for name in names}
    files = {
        "release.yaml": yaml.safe_dump(settings, sort_keys=False),
        "chart/values.yaml": FILES["chart/values.yaml"] + yaml.safe_dump(values, sort_keys=False),
    }
    files |= {f"{name}/Dockerfile": f"FROM scratch\nLABEL name={name}\n" for name in names}
    files |= {f"changelog.d/{name}.added.md": f"{name}.\n" for name in names}
    tree.commit("many", files)
    return tree


@pytest.fixture
def git_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the file to which a git on PATH writes each of its calls."""
    calls, folder = tmp_path / "calls", tmp_path / "bin"
    calls.touch()
    folder.mkdir()
    real = next(
        path for part in os.environ["PATH"].split(":") if os.access(path := Path(part) / "git", os.X_OK)
    )
    wrapper = folder / "git"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexec {real} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return calls


def started(calls: Path, word: str = "") -> int:
    """Returns how often git was started with a word among its arguments."""
    lines = calls.read_text().splitlines()
    return len([line for line in lines if line.startswith("-c core.quotePath") and word in line])


def test_git_is_asked_a_few_times_however_many_images_there_are(many: Tree, git_calls: Path) -> None:
    """The files are listed once a plan and once for all builds, and what a commit holds is read once."""
    harness = Harness(many.path)
    harness.release("0.1.0")
    many.commit("change", {"shared/lib.py": "x = 2\n"})
    git_calls.write_text("")
    plan = harness.session.plan_release("0.2.0")
    assert len(plan.steps) > IMAGES
    assert started(git_calls, " ls-files ") <= 2
    assert started(git_calls) <= MAX_PROCESSES_OF_A_PLAN
    harness.release("0.2.0")
    assert started(git_calls, " ls-files ") <= 8  # of the two plans, all builds, and the release commit
    assert started(git_calls) <= MAX_PROCESSES_OF_A_RELEASE


def test_registry_is_asked_for_all_images_at_the_same_time(many: Tree) -> None:
    """The answers of the registry are waited for together."""
    harness = Harness(many.path)
    together, digest = threading.Barrier(IMAGES), harness.registry.digest

    def wait(repository: str, reference: str) -> str | None:
        if reference.startswith("content-"):
            together.wait(timeout=20)
        return digest(repository, reference)

    harness.registry.digest = wait  # type: ignore[method-assign]  # replaced for the test
    assert len(harness.session.plan_release("0.1.0").steps) > IMAGES
