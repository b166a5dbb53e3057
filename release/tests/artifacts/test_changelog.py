"""News fragments become the changelog, the tag's message and the notes."""

from datetime import date
from pathlib import Path

import pytest

from todo_release.artifacts import changelog
from todo_release.config.overrides import Overrides
from todo_release.errors import ConfigError

from ..doubles.world import World, killed_after
from ..shop import Tree

DAY = date(2026, 11, 24)


def test_section_puts_first_what_a_user_must_not_miss() -> None:
    """Security before additions; a fragment of several lines stays one item."""
    fragments = changelog.parse(
        {"d/b.added.md": "Two\nlines.\n", "d/a.security.md": "Closed a hole.", "d/README.md": "How to."}
    )
    assert changelog.section("0.1.0", DAY, fragments) == (
        "## 0.1.0 (2026-11-24)\n\n### Security\n\n- Closed a hole.\n\n### Added\n\n- Two\n  lines.\n"
    )


def test_section_without_fragments_says_so() -> None:
    """An empty section looks forgotten."""
    assert changelog.NOTHING in changelog.section("0.1.0", DAY, [])


@pytest.mark.parametrize("path", ["d/a.md", "d/a.feature.md", "d/a.added.txt"])
def test_fragment_of_unknown_kind_is_refused_with_the_known_ones(path: str) -> None:
    """A misspelt kind would be left out in silence."""
    with pytest.raises(
        ConfigError, match=r"Name it d/<short-name>\.<security\|removed\|changed\|added\|fixed>"
    ):
        changelog.parse({path: "x"})


def test_empty_fragment_is_refused() -> None:
    """An item without text."""
    with pytest.raises(ConfigError, match="is empty"):
        changelog.parse({"d/a.added.md": " \n"})


@pytest.mark.parametrize(
    "old", ["", "# Changelog\n", "# News\n\nAll of it.\n", "# C\n\n## 0.1.0 (2026-01-01)\n\n- a\n"]
)
def test_insert_puts_the_section_on_top_and_keeps_the_rest(old: str) -> None:
    """What a person wrote above and below stays; twice is once."""
    new = changelog.insert(old, "0.2.0", DAY, [])
    head, _, rest = old.partition("## ")
    assert new.startswith((head.rstrip() or "# Changelog") + "\n\n## 0.2.0 (2026-11-24)\n")
    assert new.endswith(f"\n\n## {rest}" if rest else f"{changelog.NOTHING}\n")
    assert changelog.insert(new, "0.2.0", DAY, []) == new


def test_notes_are_the_text_of_one_section() -> None:
    """1.1.0 is not found in 11.1.0, and the next section ends it."""
    text = "# C\n\n## 11.1.0 (x)\n\nno\n\n## 1.1.0 (x)\n\n### Added\n\n- yes\n\n## 1.0.0 (x)\n\nno\n"
    assert changelog.notes(text, "1.1.0") == "### Added\n\n- yes"
    assert changelog.notes(text, "1.2.0") is None


@pytest.fixture
def world(tree: Tree, tmp_path: Path) -> World:
    """The shop with a changelog and one fragment."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("changelog: {}\n")
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n", "changelog.d/.gitkeep": ""})
    return World(tree.path, Overrides(files=(overlay,)))


def test_release_moves_fragments_into_the_changelog_and_the_tag(world: World, tree: Tree) -> None:
    """In the release commit, with chart and values; headings survive in the tag's message."""
    world.release("0.1.0")
    changed = tree.git("show", "--format=", "--name-status", "HEAD").split("\n")
    assert changed == [
        "A\tCHANGELOG.md",
        "D\tchangelog.d/shop.added.md",
        "M\tchart/Chart.yaml",
        "M\tchart/values.yaml",
    ]
    assert (
        tree.git("tag", "--list", "--format=%(contents)", "v0.1.0") == "shop v0.1.0\n\n### Added\n\n- A shop."
    )
    assert tree.git("status", "--porcelain") == ""


def test_prerelease_leaves_the_news_to_the_version_it_comes_before(world: World, tree: Tree) -> None:
    """Each candidate changes chart and values only; the final version tells everything since the last one."""
    world.release("0.1.0-rc.1")
    changed = tree.git("show", "--format=", "--name-only", "HEAD").split("\n")
    assert changed == ["chart/Chart.yaml", "chart/values.yaml"]
    assert tree.git("tag", "--list", "--format=%(contents)", "v0.1.0-rc.1") == "shop v0.1.0-rc.1"
    world.release("0.1.0")
    assert "- A shop." in (tree.path / "CHANGELOG.md").read_text()
    assert not (tree.path / "changelog.d/shop.added.md").exists()


@pytest.mark.parametrize("done", [["CHANGELOG.md"], ["changelog.d/shop.added.md"], ["chart/values.yaml"]])
def test_release_killed_among_its_edits_goes_on(world: World, tree: Tree, done: list[str]) -> None:
    """Any of the edits may have been made when the run died."""
    with killed_after(world, "build:api"):
        world.release("0.1.0")
    session = world.session
    from todo_release.artifacts import images, release_commit

    repository, config = session.context.repository, session.context.config
    references = images.references(repository, config, session.registry)
    assert references is not None
    changes = release_commit.edits(repository, config, "0.1.0", references)
    release_commit.apply(tree.path, {path: changes[path] for path in done})
    assert world.release("0.1.0")[:3] == ["preflight:staging", "preflight:production", "commit"]
    assert len(tree.git("log", "--format=%s").splitlines()) == 3


def test_foreign_change_of_a_release_file_is_dirt(world: World, tree: Tree) -> None:
    """Only the exact edit of this release is accepted."""
    tree.write({"CHANGELOG.md": "# Something else\n"})
    (refusal,) = world.session.release("0.1.0").refusals
    assert "CHANGELOG.md" in refusal.problem
