"""Tests that news fragments become the changelog, the tag's message and the release notes."""

from datetime import date
from pathlib import Path

import pytest

from todo_release.artifacts import changelog, images, release_commit
from todo_release.config.overrides import Overrides
from todo_release.errors import ConfigError

from ..doubles.harness import Harness, killed_after
from ..shop import Tree

DAY = date(2026, 11, 24)


def test_section_puts_first_what_a_user_must_not_miss() -> None:
    """Security comes before additions, and a fragment of several lines stays one item."""
    fragments = changelog.parse_fragments(
        {"d/b.added.md": "Two\nlines.\n", "d/a.security.md": "Closed a hole.", "d/README.md": "How to."}
    )
    assert changelog.format_section("0.1.0", DAY, fragments) == (
        "## 0.1.0 (2026-11-24)\n\n### Security\n\n- Closed a hole.\n\n### Added\n\n- Two\n  lines.\n"
    )


def test_section_without_fragments_says_so() -> None:
    """A section without fragments says so, because an empty one would look forgotten."""
    assert changelog.NO_CHANGES in changelog.format_section("0.1.0", DAY, [])


@pytest.mark.parametrize("path", ["d/a.md", "d/a.feature.md", "d/a.added.txt"])
def test_fragment_of_unknown_kind_is_refused_with_the_known_ones(path: str) -> None:
    """A misspelt kind is refused, because the fragment would be left out silently."""
    with pytest.raises(
        ConfigError, match=r"Name it d/<short-name>\.<security\|removed\|changed\|added\|fixed>"
    ):
        changelog.parse_fragments({path: "x"})


def test_empty_fragment_is_refused() -> None:
    """A fragment without text is refused."""
    with pytest.raises(ConfigError, match="is empty"):
        changelog.parse_fragments({"d/a.added.md": " \n"})


@pytest.mark.parametrize(
    "old", ["", "# Changelog\n", "# News\n\nAll of it.\n", "# C\n\n## 0.1.0 (2026-01-01)\n\n- a\n"]
)
def test_insert_puts_the_section_on_top_and_keeps_the_rest(old: str) -> None:
    """Text above and below the new section stays, and a second insertion changes nothing."""
    new = changelog.insert_section(old, "0.2.0", DAY, [])
    head, _, rest = old.partition("## ")
    assert new.startswith((head.rstrip() or "# Changelog") + "\n\n## 0.2.0 (2026-11-24)\n")
    assert new.endswith(f"\n\n## {rest}" if rest else f"{changelog.NO_CHANGES}\n")
    assert changelog.insert_section(new, "0.2.0", DAY, []) == new


def test_notes_are_the_text_of_one_section() -> None:
    """The notes of 1.1.0 are not those of 11.1.0, and end where the next section starts."""
    text = "# C\n\n## 11.1.0 (x)\n\nno\n\n## 1.1.0 (x)\n\n### Added\n\n- yes\n\n## 1.0.0 (x)\n\nno\n"
    assert changelog.find_notes(text, "1.1.0") == "### Added\n\n- yes"
    assert changelog.find_notes(text, "1.2.0") is None


@pytest.fixture
def harness(tree: Tree, tmp_path: Path) -> Harness:
    """The shop with a changelog and one fragment."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("changelog: {}\n")
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n", "changelog.d/.gitkeep": ""})
    return Harness(tree.path, Overrides(files=(overlay,)))


def test_release_moves_fragments_into_the_changelog_and_the_tag(harness: Harness, tree: Tree) -> None:
    """The release commit changes changelog, chart and values, and the tag's message keeps the headings."""
    harness.release("0.1.0")
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


def test_prerelease_leaves_fragments_to_its_final_version(harness: Harness, tree: Tree) -> None:
    """A release candidate changes chart and values only; the final version takes all fragments."""
    harness.release("0.1.0-rc.1")
    changed = tree.git("show", "--format=", "--name-only", "HEAD").split("\n")
    assert changed == ["chart/Chart.yaml", "chart/values.yaml"]
    assert tree.git("tag", "--list", "--format=%(contents)", "v0.1.0-rc.1") == "shop v0.1.0-rc.1"
    harness.release("0.1.0")
    assert "- A shop." in (tree.path / "CHANGELOG.md").read_text()
    assert not (tree.path / "changelog.d/shop.added.md").exists()


@pytest.mark.parametrize("done", [["CHANGELOG.md"], ["changelog.d/shop.added.md"], ["chart/values.yaml"]])
def test_release_killed_between_its_edits_is_resumed(harness: Harness, tree: Tree, done: list[str]) -> None:
    """Whichever edit was made when the run was killed, the next run continues with the commit."""
    with killed_after(harness, "build:api"):
        harness.release("0.1.0")
    session = harness.session
    repository, config = session.context.repository, session.context.config
    references = images.find_image_references(repository, config, session.registry)
    assert references is not None
    edits = release_commit.compute_edits(repository, config, "0.1.0", references)
    release_commit.apply_edits(tree.path, {path: edits[path] for path in done})
    assert harness.release("0.1.0")[:3] == ["preflight:staging", "preflight:production", "commit"]
    assert len(tree.git("log", "--format=%s").splitlines()) == 3


def test_other_change_of_a_release_file_is_refused(harness: Harness, tree: Tree) -> None:
    """In a dirty work tree, only the exact edits of this release are accepted."""
    tree.write({"CHANGELOG.md": "# Something else\n"})
    (refusal,) = harness.session.plan_release("0.1.0").refusals
    assert "CHANGELOG.md" in refusal.problem
