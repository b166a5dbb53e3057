"""Pathspecs are matched as git matches them."""

import pytest

from todo_release.adapters import pathspec

from ..shop import Tree

PATHS = ("a", "b/a", "b/c/a.js", "b/c/d/a.js", "b.js", "b-c/a", "x[1]/a", "A/b", "b/a*b/c", "d/web/e")


@pytest.fixture
def listed(tree: Tree) -> Tree:
    """Returns the tree with many paths instead of the application."""
    tree.git("rm", "--quiet", "-r", ".")
    tree.commit("paths", dict.fromkeys(PATHS, ""))
    return tree


@pytest.mark.parametrize(
    "pattern",
    [
        "", ".", "a", "b", "b/", "a/", "b/c", "./a", "../a", "/a", "*", "*.js", "b/*", "b/**", "**", "**/a",
        "**/*.js", "b/**/a.js", "b/**/c/a.js", "**/c/**", "?", "b?c/a", "[ab]", "[!a]", "[^a]", "x[1]/a",
        "[[:upper:]]/b", "x[1]", r"x\[1\]/a", r"b/a\*b/c", "[a-c]", "[c-a]", "[", "b/[/]a", "***", "**/web",
        "**/web/", "**/web/**",
    ],
)  # fmt: skip
def test_pattern_selects_what_git_selects(listed: Tree, pattern: str) -> None:
    """Every form of a pattern selects the same paths as `git ls-files` does."""
    found = listed.git("ls-files", "-z", "--", f":(top,glob){pattern}").split("\0")
    assert pathspec.select(PATHS, [pattern]) == tuple(sorted(filter(None, found)))


def test_excluded_paths_are_left_out() -> None:
    """A path that one pattern includes and another excludes is not selected."""
    assert pathspec.select(PATHS, ["b", "a"], ["**/*.js"]) == ("a", "b/a", "b/a*b/c")


def test_nothing_is_selected_without_a_pattern() -> None:
    """Without patterns nothing is selected."""
    assert pathspec.select(PATHS, []) == ()
