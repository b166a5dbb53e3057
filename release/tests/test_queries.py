"""Answers about environments."""

import io
import json
from pathlib import Path

import pytest

from todo_release import queries
from todo_release.artifacts.versions import parse
from todo_release.config.overrides import Overrides
from todo_release.core.tables import Table
from todo_release.errors import ConfigError, HelmError
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter
from todo_release.report.live import LiveReporter

from .doubles.world import World
from .shop import Tree


@pytest.fixture
def world(tree: Tree) -> World:
    """Nothing was ever released."""
    return World(tree.path)


def test_status_of_nothing(world: World) -> None:
    """A new cluster is no error."""
    environments, images = queries.status(world.session.context)
    assert environments.rows[0] == ("staging", "-", "-", "never deployed", "-", "-", "-")
    assert images.rows == (("web", "-", "-"), ("api", "-", "-"))


def test_status_shows_versions_states_and_digests(world: World) -> None:
    """Both environments run the same images, verified, with who and when."""
    world.release("0.1.0")
    world.cluster.is_ready = False
    environments, images = queries.status(world.session.context)
    assert environments.rows[1] == (
        "production",
        "0.1.0",
        "1",
        "not ready",
        "yes",
        "2026-11-24 12:00 UTC",
        "Rita <rita@example.com> on test",
    )
    web = images.rows[0]
    assert web[0] == "web"
    assert web[1] == web[2]
    assert len(web[1]) == 12


def test_status_of_a_foreign_revision_says_that_it_does_not_know(world: World) -> None:
    """Somebody ran helm by hand; the records know nothing of it."""
    world.release("0.1.0")
    world.helm["staging"].rollback("shop-staging", 1, timeout_seconds=1, on_line=None)
    environments, _ = queries.status(world.session.context)
    assert environments.rows[0][3:] == ("ready", "?", "?", "?")


def test_history_lists_the_newest_first_with_what_changed(world: World, tree: Tree) -> None:
    """Including what failed and why, and the rollback after it."""
    world.release("0.1.0")
    tree.commit("api: Change.", {"api/main.py": "print(1)\n"})
    world.helm["staging"].refuses = "0.2.0"
    with pytest.raises(HelmError):
        world.release("0.2.0")
    rows = [
        (row[0], row[1], row[2], row[6], row[7])
        for row in queries.history(world.session.context, "staging").rows
    ]
    assert rows == [
        ("3", "0.1.0", "deployed", "api", "rollback to revision 1"),
        ("2", "0.2.0", "failed", "api", "Helm refused."),
        ("1", "0.1.0", "verified", "all", ""),
    ]


def test_version_shows_what_may_come_next(world: World) -> None:
    """Before and after the first release."""
    assert dict(queries.version(world.session.context).rows) == {
        "released": "-",
        "chart": "0.0.0",
        "next": "0.1.0",
    }
    world.release("0.1.0")
    assert dict(queries.version(world.session.context).rows) == {
        "released": "0.1.0",
        "chart": "0.1.0",
        "next": "0.1.1",
        "major": "1.0.0",
        "minor": "0.2.0",
        "patch": "0.1.1",
        "prerelease": "0.1.1-rc.1",
    }


@pytest.fixture
def with_news(tree: Tree, tmp_path: Path) -> World:
    """The shop with a changelog."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("changelog: {}\n")
    return World(tree.path, Overrides(files=(overlay,)))


@pytest.mark.parametrize(
    ("last", "kinds", "following"),
    [
        ("v1.2.3", ["fixed", "security"], "1.2.4"),
        ("v1.2.3", ["fixed", "changed"], "1.3.0"),
        ("v1.2.3", ["added", "removed"], "2.0.0"),
        ("v0.2.3", ["removed"], "0.3.0"),
    ],
)
def test_news_decide_the_next_version(
    with_news: World, tree: Tree, last: str, kinds: list[str], following: str
) -> None:
    """What users lose is a major version, once there was a first one; a kind that is named decides itself."""
    tree.commit("news", {f"changelog.d/{kind}.{kind}.md": "x\n" for kind in kinds})
    tree.git("tag", last)
    context = with_news.session.context
    assert str(queries.following(context)) == following
    assert queries.following(context, "major") == parse(last.removeprefix("v")).bump_major()


def test_news_of_the_next_version_can_be_read_beforehand(with_news: World, tree: Tree) -> None:
    """As the release will write it."""
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n"})
    assert queries.news(with_news.session.context).endswith("### Added\n\n- A shop.")


def test_news_without_a_changelog_are_refused(world: World) -> None:
    """With what to write where."""
    with pytest.raises(ConfigError, match=r"Add `changelog: \{\}`"):
        queries.news(world.session.context)


TABLE = Table("Things", ("name", "size"), (("a", "1\nmore"), ("longer", "2")))


def test_table_is_aligned_text() -> None:
    """Cells of several lines do not break the rows."""
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).show(TABLE)
    assert stream.getvalue() == "Things\n  name    size\n  a       1\n  longer  2\n"


def test_empty_table_says_so() -> None:
    """Headings alone look like a mistake."""
    assert list(Table("Things", ("name",), ()).lines())[-1] == "  (nothing)"


def test_table_is_json_for_programs() -> None:
    """Rows are mappings, nothing is cut off."""
    stream = io.StringIO()
    JsonReporter(stream).show(TABLE)
    assert json.loads(stream.getvalue())["rows"] == [
        {"name": "a", "size": "1\nmore"},
        {"name": "longer", "size": "2"},
    ]


def test_table_is_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """With every cell."""
    LiveReporter(has_color=False).show(TABLE)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("Things", "name", "longer", "more"))


def test_verify_shows_every_check_and_answers_by_its_code(world: World) -> None:
    """Nothing is recorded and nothing undone."""
    world.release("0.1.0")
    before = world.cluster.writes
    assert queries.verify(world.session.context, "staging", world.session.run_smoke)[1]
    world.failing_checks["https://staging.example.com"] = "500"
    table, is_ok = queries.verify(world.session.context, "staging", world.session.run_smoke)
    assert not is_ok
    assert "✗  home   0.1 s  500" in "\n".join(table.lines())
    assert world.cluster.writes == before
    assert world.helm["staging"].revisions[-1].status == "deployed"
