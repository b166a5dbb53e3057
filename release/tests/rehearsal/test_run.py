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
from .deployable_shop import LINES, opened
from .repository_state import picture_of
from .shared_control_plane import SharedPlane

BROKEN = {"chart/templates/web.yaml": '{{ fail "the port is missing" }}\n'}


@pytest.fixture
def no_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world must not be made."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a world was made")

    monkeypatch.setattr(run, "open_theatre", refuse)


def report(tree: Tree, version: str) -> tuple[Any, str]:
    """The report of a rehearsal, for machines and for people."""
    folder = tree.path / ".release/rehearsal" / version
    return json.loads((folder / "report.json").read_text()), (folder / "report.md").read_text()


def test_release_after_another_one_is_rehearsed_from_end_to_end_and_nothing_is_touched(
    shop: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a world of its own, with what is not committed, in a temporary folder whose name is long.

    * change (HEAD -> main)
    * add (v1.0.0)
    """
    temporary = tmp_path / ("x" * 120)
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    shop.commit("change", {"web/index.js": "changed\n"})
    shop.write({"api/main.py": "print('changed')\n"})
    before = picture_of(shop)
    assert commands.rehearse(shop.path, "1.1.0", LINES) == 0
    assert picture_of(shop) == before
    assert list(temporary.glob("rehearsal-*")) == []
    found, page = report(shop, "1.1.0")
    assert [(act["name"], act["told"], act["exit_code"]) for act in found["acts"]] == [
        ("what runs before", "1.0.0 in production", 0),
        ("release 1.1.0", "11 steps done; 1.1.0 is minor after 1.0.0", 0),
        ("the same command again", "nothing to do; none of 20 objects and references was written", 0),
        ("roll production back", "production goes from 1.1.0 back to 1.0.0", 0),
    ]
    assert {"Build web", "Build api", "Deploy 1.1.0 to staging", "Deploy 1.1.0 to production"} <= set(
        found["steps"]
    )
    assert page.startswith("# 1.1.0 would go through. Rehearsed in ")
    assert [one["environment"] for one in found["preflight"]] == ["staging", "production"]
    shown = capsys.readouterr().out
    assert "Not committed yet, rehearsed as if it were: api/main.py" in shown
    assert "After the release: Requests on the nodes" in shown
    assert str(temporary) not in page + json.dumps(found)
    assert str(shop.path) not in page + json.dumps(found)


def test_first_release_up_to_staging_leaves_production_alone(
    shop: Tree, on_shared_plane: SharedPlane
) -> None:
    """What is checked out runs before, so that there is something to roll back to."""
    with opened(shop) as session:
        outcome = run.rehearse(session, LINES, "0.1.0", last="staging", like=None)
        namespace = session.context.config.environments["production"].namespace
    assert outcome.failed is None
    assert [act.name for act in outcome.acts] == [
        "what runs before", "release 0.1.0", "the same command again", "roll staging back",
    ]  # fmt: skip
    assert outcome.acts[-1].told == "staging goes from 0.1.0 back to 0.0.0-0.rehearsal"
    assert {found.environment for found in outcome.inspections} == {"staging"}
    path = f"apis/apps/v1/namespaces/{namespace}/deployments"
    assert on_shared_plane.plane.api.items(path) == []


def test_chart_that_cannot_be_rendered_ends_with_helms_code(
    shop: Tree, on_shared_plane: SharedPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what Helm said, although the change is not even committed; that nothing ran before is noted."""
    shop.write(BROKEN)
    before = picture_of(shop)
    assert commands.rehearse(shop.path, "0.1.0", LINES) == 9
    assert picture_of(shop) == before
    found, page = report(shop, "0.1.0")
    assert (found["exit_code"], found["would_go_through"]) == (9, False)
    assert "## release 0.1.0: exit code 9" in page
    assert "the port is missing" in page
    assert "no rollback was rehearsed" in page
    shown = capsys.readouterr().out
    assert "0.1.0 would fail: " in shown
    assert shown.rstrip().endswith("(exit code 9)")


def test_deployment_that_fails_keeps_its_evidence_beside_the_report(
    shop: Tree, on_shared_plane: SharedPlane
) -> None:
    """The page links to it, the error names it, and it is there when the world is gone."""
    template = "chart/templates/web.yaml"
    other = (shop.path / template).read_text().replace("key: TOKEN", "key: OTHER")
    shop.commit("web: Read a key that nobody has.", {template: other})
    options = replace(LINES, skip=("references=to see what comes of it",))
    with opened(shop, options) as session:
        outcome = run.rehearse(session, options, "0.1.0", last="staging", like=None)
    folder = shop.path / ".release/rehearsal/0.1.0"
    assert outcome.failed is not None
    assert outcome.failed.code == 24
    assert outcome.acts[-1].evidence == str(folder / "0.1.0/evidence/staging")
    assert (folder / "0.1.0/evidence/staging/README.md").is_file()
    page = (folder / "report.md").read_text()
    assert "[0.1.0/evidence/staging](0.1.0/evidence/staging/README.md)" in page
    assert "- Create it in the namespace, then release again." in page
    assert (
        json.loads((folder / "report.json").read_text())["acts"][-1]["evidence"] == "0.1.0/evidence/staging"
    )


def test_what_preflight_finds_ends_the_rehearsal_as_it_would_the_release(
    shop: Tree, on_shared_plane: SharedPlane
) -> None:
    """Exit code 15, and every finding in the page."""
    shop.write({"release.yaml": (shop.path / "release.yaml").read_text().replace("TOKEN", "OTHER")})
    with opened(shop) as session:
        outcome = run.rehearse(session, LINES, "0.1.0", last=None, like=None)
    assert isinstance(outcome.failed, PreflightError)
    assert outcome.verdict.startswith("0.1.0 would fail: 1 thing would fail in staging. Rehearsed in")
    assert "There is no key TOKEN in Secret shop-secrets" in report(shop, "0.1.0")[1]


@pytest.mark.usefixtures("no_world")
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
def test_what_cannot_be_rehearsed_is_refused_before_a_world_is_made(
    shop: Tree, version: str, last: str | None, like: str | None, code: int
) -> None:
    """A version that is not greater than the last one or is none, and environments that are not there."""
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    assert commands.rehearse(shop.path, version, LINES, last=last, like=like) == code
    assert commands.rehearse(shop.path, version, LINES, last=last, like=like, faults=["crash"]) == code
    assert not (shop.path / ".release/rehearsal").exists()
