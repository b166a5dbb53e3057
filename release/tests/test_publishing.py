"""Publishing beside other people: what becomes of a release when the branch moves, or when its clone is lost.

Everything of git is real: a bare repository as the remote, and a clone for each person and each CI run.
"""

import subprocess
from pathlib import Path
from unittest.mock import patch

import pytest

from todo_release.adapters.git import Repository
from todo_release.config.overrides import Overrides
from todo_release.errors import RepositoryError, VersionError
from todo_release.pipeline.events import RunEvent, StepProgressed, StepStarted

from .doubles.harness import Harness, killed_after
from .shop import Tree

STEPS = (
    "build:web",
    "build:api",
    "commit",
    "tag",
    "push",
    "tag-images",
    "deploy:staging",
    "verify:production",
)


@pytest.fixture
def overrides(tmp_path: Path) -> Overrides:
    """Returns overrides that make origin the remote of releases."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("remote: origin\nchangelog: {}\n")
    return Overrides(files=(overlay,))


@pytest.fixture
def shared(tree: Tree, remote: Tree, overrides: Overrides) -> Harness:
    """Returns a harness of the tree, whose remote is origin."""
    return Harness(tree.path, overrides)


@pytest.fixture
def colleague(remote: Tree, tmp_path: Path) -> Tree:
    """Returns the clone of somebody else."""
    return clone(remote, tmp_path / "colleague")


def clone(remote: Tree, path: Path) -> Tree:
    """Clones the remote."""
    subprocess.run(["git", "clone", "--quiet", str(remote.path), str(path)], check=True)
    return Tree(path)


def in_new_clone(harness: Harness, remote: Tree, path: Path, overrides: Overrides) -> Harness:
    """Returns a harness of a new clone, with the same registry and clusters."""
    other = Harness(clone(remote, path).path, overrides)
    for name in ("registry", "engine", "cluster", "helm"):
        setattr(other, name, getattr(harness, name))
    return other


class MergedAt(list[RunEvent]):
    """Events of a run, in which somebody merges when a step begins."""

    def __init__(self, step: str, colleague: Tree, *changes: dict[str, str]) -> None:
        """Each change is one merge, at one step after the other, or at each attempt to push."""
        super().__init__()
        self._step, self._colleague, self._changes = step, colleague, list(changes)

    def append(self, event: RunEvent) -> None:
        """Merges when the step begins."""
        super().append(event)
        if isinstance(event, StepStarted) and event.step.id == self._step and self._changes:
            merge(self._colleague, self._changes.pop(0))


def merge(colleague: Tree, files: dict[str, str]) -> str:
    """Commits and pushes as somebody else."""
    colleague.git("pull", "--quiet", "--rebase", "origin", "main")
    commit = colleague.commit("theirs", files)
    colleague.git("push", "--quiet", "origin", "main")
    return commit


def remote_state(remote: Tree) -> tuple[list[str], list[str]]:
    """Returns the subjects on the remote's main, newest first, and its tags."""
    return (
        remote.git("log", "--format=%s", "main").splitlines(),
        remote.git("tag", "--list").splitlines(),
    )


def names_in_registry(harness: Harness) -> set[str]:
    """Returns the tags that name a version or a commit."""
    return {tag for _, tag in harness.registry.digests if not tag.startswith("content-")}


@pytest.mark.parametrize("step", ["build:web", "commit", "push"])
def test_release_is_made_again_on_top_of_documents(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree, step: str
) -> None:
    """What somebody merged meanwhile stays, and the release goes on.

    * release: 0.1.0. (tag: v0.1.0, main, origin/main)
    * theirs
    * add
    """
    shared.events = MergedAt(step, colleague, {"README.md": "hello\n", "changelog.d/doc.added.md": "Docs.\n"})
    assert "verify:production" in shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "theirs", "add"], ["v0.1.0"])
    assert "Docs." in remote.git("show", "v0.1.0:CHANGELOG.md")  # the release commit is of the new head
    assert tree.git("rev-parse", "HEAD") == remote.git("rev-parse", "v0.1.0^{commit}")
    assert tree.git("status", "--porcelain") == ""
    assert names_in_registry(shared) == {"v0.1.0", f"sha-{tree.git('rev-parse', 'HEAD')[:12]}"}
    assert shared.engine.built == ["web", "api"]
    assert shared.session.plan_release("0.1.0").is_finished


@pytest.mark.parametrize(
    "change",
    [
        {"web/index.js": "theirs\n"},
        {"chart/values.yaml": "host: theirs\n"},
        {"release.yaml": "name: theirs\n"},
    ],
    ids=["image", "chart", "release.yaml"],
)
def test_merge_that_changes_the_version_ends_the_release(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree, change: dict[str, str]
) -> None:
    """The commit and the tag are taken back, and nothing names the version anywhere."""
    shared.events = MergedAt("build:web", colleague, change)
    with pytest.raises(RepositoryError, match=rf"changes what v0\.1\.0 is made of: {next(iter(change))}"):
        shared.release("0.1.0")
    assert remote_state(remote) == (["theirs", "add"], [])
    assert (tree.git("log", "--format=%s"), tree.git("tag", "--list")) == ("add", "")
    assert tree.git("status", "--porcelain") == ""
    assert (names_in_registry(shared), shared.helm["staging"].revisions) == (set(), [])


def test_release_that_was_ended_by_a_merge_succeeds_after_a_pull(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree
) -> None:
    """The command that the error names, then the same release again, are enough."""
    shared.events = MergedAt("push", colleague, {"web/index.js": "theirs\n"})
    with pytest.raises(RepositoryError) as ended:
        shared.release("0.1.0")
    assert "git pull origin main" in ended.value.remedy
    tree.git("pull", "--quiet", "origin", "main")
    shared.events = []
    shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "theirs", "add"], ["v0.1.0"])
    assert shared.engine.built == ["web", "api", "web"]


def test_branch_that_moves_in_every_attempt_ends_the_release_until_the_next_run(
    shared: Harness, remote: Tree, colleague: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempts are bounded, and the next run continues with the push."""
    push, merges = Repository.push, list[str]()

    def merge_first(repository: Repository, *arguments: str) -> None:
        if len(merges) < 3:
            merges.append(merge(colleague, {"README.md": f"{len(merges)}\n"}))
        push(repository, *arguments)

    monkeypatch.setattr(Repository, "push", merge_first)
    with pytest.raises(RepositoryError, match="main moved on origin in each of 3 attempts"):
        shared.release("0.1.0")
    assert remote_state(remote)[1] == []
    assert "push" in shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "theirs", "theirs", "theirs", "add"], ["v0.1.0"])


def test_push_whose_answer_was_lost_counts(
    shared: Harness, remote: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote is asked what it has before anything is made again."""
    push = Repository.push

    def lose_the_answer(repository: Repository, *arguments: str) -> None:
        push(repository, *arguments)
        raise RepositoryError("The connection was closed.", remedy="")

    monkeypatch.setattr(Repository, "push", lose_the_answer)
    shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "add"], ["v0.1.0"])


def test_remote_that_refuses_for_another_reason_keeps_the_commit_for_the_next_run(
    shared: Harness, remote: Tree
) -> None:
    """A refusal by a rule of the remote is shown; once corrected, the same command continues."""
    hook = remote.path / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RepositoryError, match="main is protected"):
        shared.release("0.1.0")
    assert remote_state(remote) == (["add"], [])
    hook.unlink()
    assert "commit" not in shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "add"], ["v0.1.0"])


def test_branch_that_has_the_commit_already_gets_the_tag(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree
) -> None:
    """Somebody pushed the branch by hand, others merged on top: only the tag is left to push."""
    with killed_after(shared, "tag"):
        shared.release("0.1.0")
    tree.git("push", "--quiet", "origin", "main")
    merge(colleague, {"README.md": "hello\n"})
    shared.release("0.1.0")
    assert remote_state(remote) == (["theirs", "release: 0.1.0.", "add"], ["v0.1.0"])


def test_version_that_somebody_else_released_meanwhile_is_taken_back(
    shared: Harness, tree: Tree, remote: Tree, tmp_path: Path, overrides: Overrides
) -> None:
    """The version of the other clone stays, and this clone goes on with it."""
    with killed_after(shared, "tag"):
        shared.release("0.1.0")
    other = in_new_clone(shared, remote, tmp_path / "other", overrides)
    Tree(other.root).git("commit", "--quiet", "--allow-empty", "--message", "empty")
    other.release("0.1.0")
    released = remote_state(remote)
    with pytest.raises(RepositoryError, match=r"Somebody else released v0\.1\.0") as ended:
        shared.release("0.1.0")
    assert "git pull --tags origin main" in ended.value.remedy
    tree.git("pull", "--quiet", "--tags", "origin", "main")
    assert shared.session.plan_release("0.1.0").is_finished
    assert remote_state(remote) == released


@pytest.mark.parametrize("step", [prefix + step for step in STEPS for prefix in ("~", "")])
def test_lost_clone_is_replaced_by_another_that_finishes_the_release(
    shared: Harness, remote: Tree, tmp_path: Path, overrides: Overrides, step: str
) -> None:
    """Wherever CI loses its clone, a new one releases the same version; the remote has both or neither."""
    with killed_after(shared, step):
        shared.release("0.1.0")
    is_pushed = remote_state(remote) != (["add"], [])
    assert remote_state(remote) in [(["add"], []), (["release: 0.1.0.", "add"], ["v0.1.0"])]
    assert is_pushed or not names_in_registry(shared)
    other = in_new_clone(shared, remote, tmp_path / "other", overrides)
    other.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "add"], ["v0.1.0"])
    assert other.session.plan_release("0.1.0").is_finished
    assert sorted(shared.engine.built) == ["api", "web"]


@pytest.mark.parametrize("cut", ["delete_tag", "move_branch", "commit", "tag"])
def test_run_killed_while_it_makes_the_release_again_continues(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree, cut: str
) -> None:
    """After any of the writes the same command, or the pull that it asks for first, leads to the end."""
    with killed_after(shared, "tag"):
        shared.release("0.1.0")
    merge(colleague, {"README.md": "hello\n"})
    original = getattr(Repository, cut)

    def die_after(*arguments: str) -> None:
        original(*arguments)
        raise KeyboardInterrupt

    with patch.object(Repository, cut, die_after), pytest.raises(KeyboardInterrupt):
        shared.release("0.1.0")
    if cut == "delete_tag":
        with pytest.raises(RepositoryError, match="main lacks commits that origin has"):
            shared.release("0.1.0")
        tree.git("pull", "--quiet", "--no-rebase", "origin", "main")
    shared.release("0.1.0")
    assert remote_state(remote)[1] == ["v0.1.0"]
    assert shared.session.plan_release("0.1.0").is_finished
    assert tree.git("status", "--porcelain") == ""


def test_own_commits_that_were_never_pushed_are_not_moved(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree
) -> None:
    """When both sides have commits, a person decides; only the tag and the release commit are taken back."""
    tree.commit("mine", {"docs/mine.md": "hello\n"})
    shared.events = MergedAt("build:web", colleague, {"README.md": "hello\n"})
    with pytest.raises(RepositoryError, match="here are commits that it does not have") as ended:
        shared.release("0.1.0")
    assert "git pull --rebase origin main" in ended.value.remedy
    assert (tree.git("log", "--format=%s"), tree.git("tag", "--list")) == ("mine\nadd", "")
    tree.git("pull", "--quiet", "--rebase", "origin", "main")
    shared.events = []
    shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "mine", "theirs", "add"], ["v0.1.0"])


def test_commit_of_a_person_is_never_taken_back(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree
) -> None:
    """A commit that says already what the release would write stays when the tag is taken back."""
    with killed_after(shared, "commit"):
        shared.release("0.1.0")
    tree.git("commit", "--quiet", "--amend", "--message", "chart: Write 0.1.0 by hand.")
    mine = tree.git("rev-parse", "HEAD")
    shared.events = MergedAt("tag", colleague, {"web/index.js": "theirs\n"})
    with pytest.raises(RepositoryError, match="here are commits that it does not have"):
        shared.release("0.1.0")
    assert (tree.git("rev-parse", "HEAD"), tree.git("tag", "--list")) == (mine, "")


def test_change_that_is_not_committed_survives_the_move(
    shared: Harness, tree: Tree, remote: Tree, colleague: Tree
) -> None:
    """What a person edits during a release stays in the work tree."""
    shared.events = MergedAt("push", colleague, {"README.md": "hello\n"})
    with killed_after(shared, "tag"):
        shared.release("0.1.0")
    tree.write({"web/tests/index.test.js": "edited\n"})
    shared.events = MergedAt("push", colleague, {"README.md": "hello\n"})
    shared.release("0.1.0")
    assert remote_state(remote) == (["release: 0.1.0.", "theirs", "add"], ["v0.1.0"])
    assert tree.git("status", "--porcelain") == "M web/tests/index.test.js"


def test_unpushed_tag_is_not_deployed_from_another_branch_nor_promoted(shared: Harness, tree: Tree) -> None:
    """Only what the remote has is deployed; the push needs the release branch."""
    with killed_after(shared, "tag"):
        shared.release("0.1.0")
    refusals = shared.session.plan_promotion("0.1.0").refusals
    assert [refusal.problem.partition(",")[0] for refusal in refusals][:1] == [
        "origin does not have v0.1.0 as it is here"
    ]
    tree.git("switch", "--quiet", "--detach", "v0.1.0")
    with pytest.raises(RepositoryError, match="made from main, but no branch"):
        shared.release("0.1.0")


def test_unpushed_tag_of_other_content_says_how_to_release_again(shared: Harness, tree: Tree) -> None:
    """The version was never public, so it needs no new number."""
    with killed_after(shared, "tag"):
        shared.release("0.1.0")
    tree.commit("change", {"web/index.js": "changed\n"})
    with pytest.raises(VersionError, match=r"v0\.1\.0 was never pushed") as refused:
        shared.release("0.1.0")
    assert "git tag --delete v0.1.0" in refused.value.remedy
    tree.git("tag", "--delete", "v0.1.0")
    shared.release("0.1.0")
    assert [event.text for event in shared.events if isinstance(event, StepProgressed) and event.is_note]
