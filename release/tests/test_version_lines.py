"""Which tags are versions, and which version may follow: `tag_prefix`, the chart's own version, hotfixes."""

from pathlib import Path

import pytest

from todo_release import queries
from todo_release.adapters.git import Repository
from todo_release.artifacts import version_line
from todo_release.config.overrides import Overrides
from todo_release.errors import RepositoryError, VersionError
from todo_release.pipeline.steps import Push

from .doubles.harness import Harness
from .shop import FILES, Tree


def harness_with(tree: Tree, overlay: str) -> Harness:
    """Returns a harness whose release.yaml has an overlay."""
    path: Path = tree.path.parent / "overlay.yaml"
    path.write_text(overlay)
    return Harness(tree.path, Overrides(files=(path,)))


def refusals(harness: Harness, version: str) -> list[str]:
    """Returns what refuses the release of a version."""
    return [refusal.problem for refusal in harness.session.plan_release(version).refusals]


def shown_versions(harness: Harness) -> dict[str, str]:
    """Returns what `inv version` shows."""
    return {row[0]: row[1] for row in queries.version(harness.session.context).rows}


@pytest.fixture
def unprefixed(tree: Tree) -> Tree:
    """Returns the tree with tags of two forms, of which the chart follows those without a prefix.

    * change (HEAD -> main)
    * chart (tag: 6.14.1)
    * add (tag: v1.8.0)
    """
    tree.git("tag", "v1.8.0")
    tree.commit("chart", {"chart/Chart.yaml": FILES["chart/Chart.yaml"].replace("0.0.0", "6.14.1")})
    tree.git("tag", "--annotate", "--message", "6.14.1", "6.14.1")
    tree.commit("change", {"web/index.js": "changed\n"})
    return tree


def test_version_below_that_of_the_chart_is_refused(unprefixed: Tree) -> None:
    """Tags of another form are not seen as versions, so the chart is the one that knows better."""
    with pytest.raises(VersionError, match=r"1\.8\.1 is lower than 6\.14\.1, which the chart has") as refused:
        Harness(unprefixed.path).release("1.8.1")
    assert "begin with 'v'" in refused.value.remedy
    assert "`tag_prefix` in release.yaml" in refused.value.remedy


def test_next_version_follows_the_chart_where_no_tag_does(unprefixed: Tree) -> None:
    """What is proposed is never refused, with lower tags and without any."""
    harness = Harness(unprefixed.path)
    assert (shown_versions(harness)["released"], shown_versions(harness)["patch"]) == ("1.8.0", "6.14.2")
    assert refusals(harness, "6.14.2") == []
    unprefixed.git("tag", "--delete", "v1.8.0")
    assert str(queries.next_version(harness.session.context)) == "6.14.2"


def test_version_of_the_chart_itself_can_be_the_first_release(tree: Tree) -> None:
    """A chart that was written with its first version keeps it."""
    tree.commit("chart", {"chart/Chart.yaml": FILES["chart/Chart.yaml"].replace("0.0.0", "0.1.0")})
    assert refusals(Harness(tree.path), "0.1.0") == []


def test_empty_prefix_makes_bare_versions_of_tags(unprefixed: Tree) -> None:
    """Git tag, registry tag and version history have no prefix, and tags with one are not versions."""
    harness = harness_with(unprefixed, 'tag_prefix: ""')
    assert (shown_versions(harness)["released"], shown_versions(harness)["patch"]) == ("6.14.1", "6.14.2")
    plan = harness.session.plan_release("6.14.2")
    assert plan.findings[0] == "6.14.2 is patch after 6.14.1"
    harness.release("6.14.2")
    assert unprefixed.git("tag", "--list").splitlines() == ["6.14.1", "6.14.2", "v1.8.0"]
    assert ("shop/web", "6.14.2") in harness.registry.digests
    assert harness.session.plan_release("6.14.2").is_finished


def test_prefix_keeps_the_versions_of_two_charts_apart(tree: Tree) -> None:
    """Each chart of a repository has its own line of versions."""
    tree.git("tag", "other-9.0.0")
    harness = harness_with(tree, "tag_prefix: shop-")
    harness.release("0.1.0")
    assert tree.git("tag", "--list").splitlines() == ["other-9.0.0", "shop-0.1.0"]
    assert shown_versions(harness)["released"] == "0.1.0"


@pytest.fixture
def hotfix(tree: Tree) -> Tree:
    """Returns the tree on a branch of corrections of 1.2, where 1.3.0 was released from main.

    * correct (HEAD -> release/1.2)
    | * release: 1.3.0. (tag: v1.3.0, main)
    | * more
    |/
    * release: 1.2.3. (tag: v1.2.3)
    """
    harness = Harness(tree.path)
    harness.release("1.2.3")
    tree.commit("more", {"web/index.js": "more\n"})
    harness.release("1.3.0")
    tree.git("switch", "--quiet", "--create", "release/1.2", "v1.2.3")
    tree.commit("correct", {"api/main.py": "print('corrected')\n"})
    return tree


def test_correction_of_an_earlier_line_follows_that_line(hotfix: Tree) -> None:
    """From release/1.2 after 1.3.0, 1.2.4 may be released, and is compared with 1.2.3."""
    harness = Harness(hotfix.path)
    plan = harness.session.plan_release("1.2.4")
    assert plan.findings[:1] == ("1.2.4 is patch after 1.2.3 on release/1.2",)
    reasons = {step.id: step.reason for step in plan.steps}
    assert reasons["build:api"] == "rebuilt: changed since the last release: api/main.py"
    assert refusals(harness, "1.2.4") == []
    assert shown_versions(harness)["released"] == "1.2.3"
    assert str(queries.next_version(harness.session.context, "patch")) == "1.2.4"


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("1.2.2", "1.2.2 is not greater than 1.2.3, the last version released."),
        ("1.3.1", "1.3.1 is not lower than 1.3.0, which was released and is not part of release/1.2."),
        ("2.0.0", "2.0.0 is not lower than 1.3.0, which was released and is not part of release/1.2."),
    ],
)
def test_version_outside_of_the_line_is_refused(hotfix: Tree, version: str, problem: str) -> None:
    """A higher version would promise what was released from main meanwhile and is not in this branch."""
    assert refusals(Harness(hotfix.path), version) == [problem]


def test_version_that_was_released_in_another_line_is_refused(hotfix: Tree) -> None:
    """A version that has a tag is never another one."""
    with pytest.raises(VersionError, match=r"1\.3\.0 is released already, and .* has changed"):
        Harness(hotfix.path).release("1.3.0")


def test_version_is_checked_before_a_rehearsal_as_before_a_release(hotfix: Tree) -> None:
    """A version that the plan would refuse is refused before a sandbox is created."""
    repository, config = Repository(hotfix.path), Harness(hotfix.path).config
    assert version_line.check_version(repository, config, "1.2.4") == "patch after 1.2.3 on release/1.2"
    with pytest.raises(VersionError, match="is not part of release"):
        version_line.check_version(repository, config, "1.3.1")
    with pytest.raises(VersionError, match="which the chart has already"):
        version_line.check_version(repository, config, "1.2.3-rc.1")


def test_main_continues_after_every_line(hotfix: Tree) -> None:
    """On main all versions count, also those of corrections."""
    hotfix.git("tag", "v1.9.0")
    hotfix.git("switch", "--quiet", "main")
    assert refusals(Harness(hotfix.path), "1.3.1") == [
        "1.3.1 is not greater than 1.9.0, the last version released."
    ]


def test_branches_of_corrections_are_configured(hotfix: Tree) -> None:
    """Without the pattern, or with another, releases are made from main only."""
    with pytest.raises(RepositoryError, match=r"made from main, but release/1\.2"):
        harness_with(hotfix, "hotfix_branches: []").release("1.4.0")
    assert refusals(harness_with(hotfix, 'hotfix_branches: ["*/1.2"]'), "1.2.4") == []


def test_correction_is_pushed_to_its_own_branch(hotfix: Tree, remote: Tree) -> None:
    """The branch that is checked out is the one that is pushed and compared with the remote."""
    harness = harness_with(hotfix, "remote: origin")
    plan = harness.session.plan_release("1.2.4")
    assert [step.branch for step in plan.steps if isinstance(step, Push)] == ["release/1.2"]
    hotfix.git("push", "--quiet", "origin", "release/1.2")
    assert refusals(harness, "1.2.4") == []
