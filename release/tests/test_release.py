"""Whole releases, with a real git repository and real YAML; the clients are doubles."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.config.overrides import Overrides
from todo_release.errors import (
    DeclinedError,
    HelmError,
    RepositoryError,
    SmokeError,
    VersionError,
)
from todo_release.pipeline.events import StepFailed, StepProgressed
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import error, warning

from .doubles.harness import Harness, killed_after
from .released_shop import ALL, PREFLIGHTS, versions_in
from .shop import Tree


def test_first_release_does_every_step_in_order(harness: Harness, tree: Tree) -> None:
    """Production gets the digests that staging has verified."""
    assert harness.release("0.1.0") == ALL
    assert versions_in(harness, "staging") == versions_in(harness, "production") == [("0.1.0", "deployed")]
    assert tree.git("log", "--format=%s") == "release: 0.1.0.\nadd"
    assert tree.git("cat-file", "-t", "v0.1.0") == "tag"
    assert tree.git("status", "--porcelain") == ""
    staging, production = (harness.records(name).read()[0] for name in ("staging", "production"))
    assert staging.digests == production.digests
    assert (staging.result, production.result) == ("verified", "verified")
    assert [harness.helm[name].overlays for name in ("staging", "production")] == [
        [{"host": "staging.example.com"}],
        [{"host": "example.com"}],
    ]


def test_build_context_is_exactly_the_inputs(harness: Harness) -> None:
    """The build context holds the inputs without the excluded tests, relative to the context."""
    harness.release("0.1.0")
    assert harness.engine.contexts == {
        "web": ["Dockerfile", "index.js"],
        "api": ["api/Dockerfile", "api/main.py", "shared/lib.py"],
    }


def test_images_get_version_and_commit_as_tags_of_one_digest(harness: Harness, tree: Tree) -> None:
    """Content tag, version tag and commit tag name the same manifest."""
    harness.release("0.1.0")
    commit = tree.git("rev-parse", "v0.1.0^{commit}")[:12]
    tags = {tag: digest for (path, tag), digest in harness.registry.digests.items() if path == "shop/web"}
    assert len(tags) == 3
    assert {"v0.1.0", f"sha-{commit}"} < set(tags)
    assert len(set(tags.values())) == 1


def test_release_commit_changes_only_versions_and_images(harness: Harness, tree: Tree) -> None:
    """The release commit keeps comments and all other lines."""
    harness.release("0.1.0")
    changed = tree.git("show", "--format=", "--unified=0", "v0.1.0").splitlines()
    added = [line for line in changed if line.startswith("+") and not line.startswith("+++")]
    assert added[:2] == ["+version: 0.1.0", "+appVersion: 0.1.0  # as above"]
    assert len(added) == 2 + 1 + 3
    assert added[2].endswith("}  # written by the release")


def test_finished_release_again_does_nothing_and_writes_nothing(harness: Harness, tree: Tree) -> None:
    """A second run makes no commit, tag, revision, record, image tag, lock or journal entry."""
    harness.release("0.1.0")
    journal = (tree.path / ".release/0.1.0/journal.jsonl").read_bytes()
    before = (
        harness.cluster.writes,
        harness.registry.writes,
        tree.git("rev-parse", "HEAD"),
        list(harness.locks),
    )
    assert harness.release("0.1.0") == []
    assert harness.session.plan_release("0.1.0").is_finished
    assert (
        harness.cluster.writes,
        harness.registry.writes,
        tree.git("rev-parse", "HEAD"),
        harness.locks,
    ) == before
    assert (tree.path / ".release/0.1.0/journal.jsonl").read_bytes() == journal
    assert versions_in(harness, "production") == [("0.1.0", "deployed")]


def test_every_environment_that_will_change_is_inspected_before_anything_is_built(harness: Harness) -> None:
    """A release inspects every environment that it will change; a finished release inspects none."""
    harness.release("0.1.0")
    assert harness.inspections == [("staging", "0.1.0"), ("production", "0.1.0")]
    harness.release("0.1.0")
    assert len(harness.inspections) == 2


def test_finding_in_production_stops_the_release_before_staging_is_changed(
    harness: Harness, tree: Tree
) -> None:
    """A finding stops the release before the first build; once corrected, the same command continues."""
    finding = replace(error("Deployment/web", "It needs 350m.", "Add a node."), check="capacity")
    harness.findings["production"] = (finding,)
    with pytest.raises(PreflightError, match="1 thing would fail in production") as failed:
        harness.release("0.1.0")
    assert failed.value.findings == (finding,)
    assert (harness.engine.built, versions_in(harness, "staging")) == ([], [])
    assert tree.git("log", "--format=%s") == "add"
    harness.findings.clear()
    assert harness.release("0.1.0") == ALL


def test_findings_that_do_not_stop_are_journaled_with_the_step(harness: Harness, tree: Tree) -> None:
    """The journal keeps the warnings of an inspection."""
    finding = replace(warning("Deployment/web", "It is tight.", "Add a node."), check="capacity")
    harness.findings["staging"] = (finding,)
    harness.release("0.1.0")
    entries = [
        json.loads(line) for line in (tree.path / ".release/0.1.0/journal.jsonl").read_text().splitlines()
    ]
    (outcome,) = [
        entry["outcome"]
        for entry in entries
        if (entry["step"], entry["status"]) == ("preflight:staging", "done")
    ]
    assert [finding["cause"] for finding in outcome["findings"]] == ["It is tight."]


def test_later_commits_that_change_no_input_leave_a_finished_release_finished(
    harness: Harness, tree: Tree
) -> None:
    """An empty commit, another tag and a new document change nothing that was released."""
    harness.release("0.1.0")
    tree.commit("docs", {"README.md": "hello\n"})
    tree.git("tag", "nightly")
    assert harness.session.plan_release("0.1.0").is_finished


def test_one_changed_service_rebuilds_one_image(harness: Harness, tree: Tree) -> None:
    """The other image is reused, and its tag and digest stay in the values."""
    harness.release("0.1.0")
    tree.commit("api: Change.", {"api/main.py": "print(1)\n"})
    plan = harness.session.plan_release("0.2.0")
    reasons = {step.id: step.reason for step in plan.steps}
    assert reasons["build:web"] == "reused: the same inputs as in the last release"
    assert reasons["build:api"] == "rebuilt: changed since the last release: api/main.py"
    assert harness.release("0.2.0") == [step for step in ALL if step != "build:web"]
    assert harness.engine.built == ["web", "api", "api"]
    assert "web" not in tree.git("show", "--format=", "--unified=0", "v0.2.0")


def test_lock_is_held_from_deployment_to_verification_and_not_while_asking(harness: Harness) -> None:
    """Staging is unlocked when the question about production is asked."""
    harness.release("0.1.0")
    assert harness.locks == ["+staging", "-staging", "+production", "-production"]


def test_failure_in_staging_restores_it_and_never_reaches_production(harness: Harness, tree: Tree) -> None:
    """Staging runs the earlier version again, the cause is recorded, and production is not changed."""
    harness.release("0.1.0")
    tree.commit("web: Break.", {"web/index.js": "broken\n"})
    harness.helm["staging"].refuses = "0.2.0"
    with pytest.raises(HelmError) as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert versions_in(harness, "staging") == [
        ("0.1.0", "superseded"),
        ("0.2.0", "failed"),
        ("0.1.0", "deployed"),
    ]
    assert versions_in(harness, "production") == [("0.1.0", "deployed")]
    assert [
        (record.version, record.result, record.cause) for record in harness.records("staging").read()
    ] == [
        ("0.1.0", "verified", None),
        ("0.2.0", "failed", "Helm refused."),
        ("0.1.0", "deployed", "rollback to revision 1"),
    ]
    assert isinstance(harness.events[-1], StepFailed)


def test_version_that_was_rolled_back_to_counts_as_deployed(harness: Harness, tree: Tree) -> None:
    """A restored version needs only its smoke checks to be verified again."""
    harness.release("0.1.0")
    tree.commit("web: Break.", {"web/index.js": "broken\n"})
    harness.helm["staging"].refuses = "0.2.0"
    with pytest.raises(HelmError):
        harness.release("0.2.0")
    plan = harness.session.plan_deployment("0.1.0", ["staging"])
    assert [step.id for step in plan.pending] == ["verify:staging"]


def test_failed_smoke_check_restores_what_ran_before(harness: Harness, tree: Tree) -> None:
    """The error names the failed checks, and the logs are saved before the rollback."""
    harness.release("0.1.0")
    tree.commit("web: Break.", {"web/index.js": "broken\n"})
    harness.failing_checks["https://staging.example.com"] = "500"
    with pytest.raises(SmokeError, match="home: 500") as failed:
        harness.release("0.2.0")
    assert failed.value.evidence == str(tree.path / ".release/0.2.0/evidence/staging")
    assert versions_in(harness, "staging")[-1] == ("0.1.0", "deployed")
    assert versions_in(harness, "production") == [("0.1.0", "deployed")]


def test_failed_first_deployment_is_kept(harness: Harness) -> None:
    """Without an earlier version nothing is restored and nothing is deleted."""
    harness.helm["staging"].refuses = "0.1.0"
    with pytest.raises(HelmError) as failed:
        harness.release("0.1.0")
    assert failed.value.__notes__ == ["there was no earlier version to go back to"]
    assert versions_in(harness, "staging") == [("0.1.0", "failed")]


def test_corrected_cause_lets_the_same_version_continue(harness: Harness) -> None:
    """When the cluster was at fault, the same version can be released."""
    harness.helm["staging"].refuses = "0.1.0"
    with pytest.raises(HelmError):
        harness.release("0.1.0")
    harness.helm["staging"].refuses = None
    assert harness.release("0.1.0") == [*PREFLIGHTS, *ALL[7:]]


def test_declined_production_stays_as_it_is_and_can_be_asked_again(harness: Harness) -> None:
    """Staging keeps the version, and the next run asks again."""
    harness.answer = False
    with pytest.raises(DeclinedError):
        harness.release("0.1.0")
    assert versions_in(harness, "production") == []
    harness.answer = True
    assert harness.release("0.1.0") == [
        "preflight:production",
        "confirm:production",
        "deploy:production",
        "verify:production",
    ]


def test_release_up_to_staging_is_promoted_later(harness: Harness) -> None:
    """CI can release to staging in one job and promote in another."""
    session = harness.session
    session.run(session.plan_release("0.1.0", "staging"), harness.events.append)
    assert versions_in(harness, "production") == []
    session.run(session.plan_promotion("0.1.0"), harness.events.append)
    assert versions_in(harness, "production") == [("0.1.0", "deployed")]
    assert session.plan_release("0.1.0").is_finished


def test_version_tag_in_the_registry_that_no_git_tag_explains_is_replaced(harness: Harness) -> None:
    """A release that ended before its push has left it; git alone says what a version is."""
    harness.registry.digests[("shop/web", "v0.1.0")] = "sha256:other"
    harness.release("0.1.0")
    assert (
        harness.registry.digests[("shop/web", "v0.1.0")]
        == harness.records("staging").read()[0].digests["web"]
    )
    notes = [event.text for event in harness.events if isinstance(event, StepProgressed) and event.is_note]
    assert "web: v0.1.0; it was sha256:other, which no git tag explains" in notes


@pytest.fixture
def shared(tree: Tree, remote: Tree, tmp_path: Path) -> Harness:
    """Returns the same harness, with origin as the remote of releases."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("remote: origin\n")
    return Harness(tree.path, Overrides(files=(overlay,)))


def test_release_with_a_remote_pushes_branch_and_tag_before_it_deploys(shared: Harness, tree: Tree) -> None:
    """The tag is pushed before the images are named and before the first deployment.

    * release: 0.1.0. (HEAD -> main, tag: v0.1.0, origin/main)
    * add
    """
    assert shared.release("0.1.0") == [*ALL[:6], "push", *ALL[6:]]
    refs, head = Repository(tree.path).remote_refs("origin"), tree.git("rev-parse", "HEAD")
    assert (refs.branches, refs.tags) == ({"main": head}, {"v0.1.0": head})
    assert shared.session.plan_release("0.1.0").is_finished


def test_branch_behind_its_remote_is_refused(shared: Harness, tree: Tree) -> None:
    """A release that would lack commits of the remote is refused.

    * theirs (origin/main)
    * add (HEAD -> main)
    """
    tree.commit("theirs")
    tree.git("push", "--quiet", "origin", "main")
    tree.git("reset", "--quiet", "--hard", "HEAD~1")
    with pytest.raises(RepositoryError, match="main lacks commits that origin has"):
        shared.release("0.1.0")


def test_version_tagged_only_on_the_remote_is_refused(shared: Harness, tree: Tree) -> None:
    """A version that was released from another clone is refused with the command that fetches it."""
    tree.git("push", "--quiet", "origin", "HEAD:refs/tags/v0.1.0")
    with pytest.raises(VersionError, match="git fetch --tags origin"):
        shared.release("0.1.0")


@pytest.mark.parametrize("step", ["~push", "push"])
def test_killed_around_the_push_continues(shared: Harness, step: str) -> None:
    """The remote has branch and tag or neither, and then gets both."""
    with killed_after(shared, step):
        shared.release("0.1.0")
    assert shared.release("0.1.0") == [*PREFLIGHTS, *(["push"] if step == "~push" else []), *ALL[6:]]
