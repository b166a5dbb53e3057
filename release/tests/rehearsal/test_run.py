"""Whole rehearsals of a small application."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from todo_release import commands
from todo_release.errors import ConfigError, VersionError
from todo_release.preflight.errors import PreflightError
from todo_release.rehearsal import run

from ..shop import Tree
from .deployable_shop import LINES, open_shop
from .repository_state import repository_state
from .shared_control_plane import SharedControlPlane

CACHE = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: cache}
spec:
  serviceName: cache
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec:
      initContainers: [{name: prepare, image: registry.invalid/prepare:1}]
      containers:
        - name: cache
          image: registry.invalid/cache:8
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 16Mi}}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
BROKEN = {"chart/templates/web.yaml": '{{ fail "the port is missing" }}\n'}


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if a sandbox is created."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a sandbox was created")

    monkeypatch.setattr(run, "open_sandbox", refuse)


def read_report(tree: Tree, version: str) -> tuple[Any, str]:
    """Returns the JSON and the Markdown report of a rehearsal."""
    folder = tree.path / ".release/rehearsal" / version
    return json.loads((folder / "report.json").read_text()), (folder / "report.md").read_text()


def test_second_release_is_rehearsed_and_the_repository_is_unchanged(
    shop: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All phases run, with uncommitted changes and a long temporary path, and leave only the report.

    * change (HEAD -> main)
    * add (v1.0.0)
    """
    temporary = tmp_path / ("x" * 120)
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    shop.commit("change", {"web/index.js": "changed\n"})
    shop.write({"api/main.py": "print('changed')\n"})
    before = repository_state(shop)
    assert commands.rehearse(shop.path, "1.1.0", LINES) == 0
    assert repository_state(shop) == before
    assert list(temporary.glob("rehearsal-*")) == []
    found, page = read_report(shop, "1.1.0")
    assert [(phase["name"], phase["summary"], phase["exit_code"]) for phase in found["phases"]] == [
        ("install the previous version", "1.0.0 runs in production", 0),
        ("release 1.1.0", "11 steps done; 1.1.0 is minor after 1.0.0", 0),
        ("release 1.1.0 again", "nothing to do; none of 20 objects and Git references was changed", 0),
        ("roll back production", "production goes from 1.1.0 back to 1.0.0", 0),
    ]
    assert {"Build web", "Build api", "Deploy 1.1.0 to staging", "Deploy 1.1.0 to production"} <= set(
        found["steps"]
    )
    assert page.startswith("# 1.1.0 would succeed. Rehearsed in ")
    assert [inspection["environment"] for inspection in found["preflight"]] == ["staging", "production"]
    output = capsys.readouterr().out
    assert "Uncommitted changes are part of this rehearsal: api/main.py" in output
    assert "After the release: Requests on the nodes" in output
    assert str(temporary) not in page + json.dumps(found)
    assert str(shop.path) not in page + json.dumps(found)


def test_first_release_up_to_staging_leaves_production_alone(
    shop: Tree, on_shared_plane: SharedControlPlane
) -> None:
    """With `last`, only that environment is released to; a first release has a version to roll back to."""
    with open_shop(shop) as session:
        report = run.rehearse(session, LINES, "0.1.0", last="staging", like=None)
        namespace = session.context.config.environments["production"].namespace
    assert report.error is None
    assert [phase.name for phase in report.phases] == [
        "install the previous version", "release 0.1.0", "release 0.1.0 again", "roll back staging",
    ]  # fmt: skip
    assert report.phases[-1].summary == "staging goes from 0.1.0 back to 0.0.0-0.rehearsal"
    assert {inspection.environment for inspection in report.inspections} == {"staging"}
    path = f"apis/apps/v1/namespaces/{namespace}/deployments"
    assert on_shared_plane.plane.api.items(path) == []


def test_volumes_are_bound_and_foreign_images_cost_one_note(
    shop: Tree, on_shared_plane: SharedControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A StatefulSet gets its volumes, although nothing outside the sandbox, nor a proxy, can be reached."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    shop.commit("cache: Add one.", {"chart/templates/cache.yaml": CACHE})
    with open_shop(shop) as session:
        report = run.rehearse(session, LINES, "0.1.0", last=None, like=None)
    assert report.error is None
    assert report.confirmed == ("production",)
    [line] = [line for line in report.findings() if "could not be looked up" in line]
    images = "registry.invalid/prepare:1 and registry.invalid/cache:8"
    assert line.startswith("• staging, production: images: StatefulSet/cache ")
    assert f": {images} could not be looked up: " in line
    assert max(inspection.seconds for inspection in report.inspections) < 3


def test_chart_that_cannot_be_rendered_ends_with_helms_code(
    shop: Tree, on_shared_plane: SharedControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken chart ends with Helm's error, and the report notes that no rollback was rehearsed."""
    shop.write(BROKEN)
    before = repository_state(shop)
    assert commands.rehearse(shop.path, "0.1.0", LINES) == 9
    assert repository_state(shop) == before
    found, page = read_report(shop, "0.1.0")
    assert (found["exit_code"], found["would_succeed"]) == (9, False)
    assert "## release 0.1.0: exit code 9" in page
    assert "the port is missing" in page
    assert "no rollback was rehearsed" in page
    output = capsys.readouterr().out
    assert "0.1.0 would fail: " in output
    assert output.rstrip().endswith("(exit code 9)")


def test_deployment_that_fails_keeps_its_evidence_beside_the_report(
    shop: Tree, on_shared_plane: SharedControlPlane
) -> None:
    """The evidence is kept outside the sandbox, and the page and the error name it."""
    template = "chart/templates/web.yaml"
    other = (shop.path / template).read_text().replace("key: TOKEN", "key: OTHER")
    shop.commit("web: Read a missing key.", {template: other})
    options = replace(LINES, skip=("references=to see the deployment fail",))
    with open_shop(shop, options) as session:
        report = run.rehearse(session, options, "0.1.0", last="staging", like=None)
    folder = shop.path / ".release/rehearsal/0.1.0"
    assert report.error is not None
    assert report.error.code == 24
    assert report.phases[-1].evidence == str(folder / "0.1.0/evidence/staging")
    assert (folder / "0.1.0/evidence/staging/README.md").is_file()
    page = (folder / "report.md").read_text()
    assert "[0.1.0/evidence/staging](0.1.0/evidence/staging/README.md)" in page
    assert "- Create it in the namespace, then release again." in page
    assert (
        json.loads((folder / "report.json").read_text())["phases"][-1]["evidence"] == "0.1.0/evidence/staging"
    )


def test_finding_of_preflight_ends_the_rehearsal(shop: Tree, on_shared_plane: SharedControlPlane) -> None:
    """A finding that would stop the release fails the rehearsal and is on the page."""
    shop.write({"release.yaml": (shop.path / "release.yaml").read_text().replace("TOKEN", "OTHER")})
    with open_shop(shop) as session:
        report = run.rehearse(session, LINES, "0.1.0", last=None, like=None)
    assert isinstance(report.error, PreflightError)
    assert report.verdict.startswith("0.1.0 would fail: 1 thing would fail in staging. Rehearsed in")
    assert "There is no key TOKEN in Secret shop-secrets" in read_report(shop, "0.1.0")[1]


@pytest.mark.usefixtures("no_sandbox")
@pytest.mark.parametrize(
    ("version", "last", "like", "code"),
    [
        ("0.9.0", None, None, VersionError.exit_code),
        ("1.0.0", None, None, VersionError.exit_code),
        ("../../outside", None, None, VersionError.exit_code),
        ("1.1.0", "moon", None, ConfigError.exit_code),
        ("1.1.0", None, "moon", ConfigError.exit_code),
    ],
)
def test_invalid_arguments_are_refused_before_a_sandbox_is_created(
    shop: Tree, version: str, last: str | None, like: str | None, code: int
) -> None:
    """Invalid versions and unknown environments end with their exit codes, before anything is created."""
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    assert commands.rehearse(shop.path, version, LINES, last=last, like=like) == code
    assert commands.rehearse(shop.path, version, LINES, last=last, like=like, faults=["crash"]) == code
    assert not (shop.path / ".release/rehearsal").exists()
