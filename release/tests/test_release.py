"""Whole releases: a real git repository and real YAML, the world outside in memory."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from todo_release.adapters.git import Repository
from todo_release.config.overrides import Overrides
from todo_release.errors import (
    ConfigError,
    DeclinedError,
    HelmError,
    PromotionError,
    RegistryError,
    RepositoryError,
    SmokeError,
    VersionError,
)
from todo_release.pipeline.events import PlanStarted, StepFailed, StepSpoke
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import error, warning

from .doubles.world import KilledError, World, killed_after
from .shop import RELEASE_YAML, Tree

CHECKED = ["preflight:staging", "preflight:production"]
ALL = [
    *CHECKED, "build:web", "build:api", "commit", "tag", "name-images",
    "deploy:staging", "verify:staging", "confirm:production", "deploy:production", "verify:production",
]  # fmt: skip


@pytest.fixture
def world(tree: Tree) -> World:
    """Nothing was ever released."""
    return World(tree.path)


def versions_in(world: World, environment: str) -> list[tuple[str, str]]:
    """Version and Helm status of every revision."""
    return [(one.app_version, one.status) for one in world.helm[environment].revisions]


def test_first_release_does_every_step_in_order(world: World, tree: Tree) -> None:
    """Images, commit, tag, names, staging, then production with the same digests."""
    assert world.release("0.1.0") == ALL
    assert versions_in(world, "staging") == versions_in(world, "production") == [("0.1.0", "deployed")]
    assert tree.git("log", "--format=%s") == "release: 0.1.0.\nadd"
    assert tree.git("cat-file", "-t", "v0.1.0") == "tag"
    assert tree.git("status", "--porcelain") == ""
    staging, production = (world.records(name).read()[0] for name in ("staging", "production"))
    assert staging.digests == production.digests
    assert (staging.result, production.result) == ("verified", "verified")
    assert [world.helm[name].overlays for name in ("staging", "production")] == [
        [{"host": "staging.example.com"}],
        [{"host": "example.com"}],
    ]


def test_build_context_is_exactly_the_inputs(world: World) -> None:
    """Tests are excluded, nothing else of the repository is seen, names are relative to the context."""
    world.release("0.1.0")
    assert world.engine.contexts == {
        "web": ["Dockerfile", "index.js"],
        "api": ["api/Dockerfile", "api/main.py", "shared/lib.py"],
    }


def test_images_get_version_and_commit_as_names_of_one_digest(world: World, tree: Tree) -> None:
    """Content tag, version tag and commit tag are the same manifest."""
    world.release("0.1.0")
    commit = tree.git("rev-parse", "v0.1.0^{commit}")[:12]
    tags = {tag: digest for (path, tag), digest in world.registry.digests.items() if path == "shop/web"}
    assert len(tags) == 3
    assert {"v0.1.0", f"sha-{commit}"} < set(tags)
    assert len(set(tags.values())) == 1


def test_release_commit_changes_only_versions_and_images(world: World, tree: Tree) -> None:
    """Comments stay, and no other line differs."""
    world.release("0.1.0")
    changed = tree.git("show", "--format=", "--unified=0", "v0.1.0").splitlines()
    added = [line for line in changed if line.startswith("+") and not line.startswith("+++")]
    assert added[:2] == ["+version: 0.1.0", "+appVersion: 0.1.0  # as above"]
    assert len(added) == 2 + 1 + 3
    assert added[2].endswith("}  # written by the release")


def test_finished_release_again_does_nothing_and_writes_nothing(world: World, tree: Tree) -> None:
    """No commit, tag, revision, record, image name or lock; the journal does not grow either."""
    world.release("0.1.0")
    journal = (tree.path / ".release/0.1.0/journal.jsonl").read_bytes()
    before = (world.cluster.writes, world.registry.writes, tree.git("rev-parse", "HEAD"), list(world.locks))
    assert world.release("0.1.0") == []
    assert world.session.release("0.1.0").is_finished
    assert (world.cluster.writes, world.registry.writes, tree.git("rev-parse", "HEAD"), world.locks) == before
    assert (tree.path / ".release/0.1.0/journal.jsonl").read_bytes() == journal
    assert versions_in(world, "production") == [("0.1.0", "deployed")]


def test_every_environment_that_will_change_is_inspected_before_anything_is_built(world: World) -> None:
    """Staging and production; a finished release inspects nothing, a partial one what is left."""
    world.release("0.1.0")
    assert world.inspected == [("staging", "0.1.0"), ("production", "0.1.0")]
    world.release("0.1.0")
    assert len(world.inspected) == 2


def test_finding_in_production_stops_the_release_before_staging_is_touched(world: World, tree: Tree) -> None:
    """Nothing is built, committed or deployed; corrected, the same command goes on."""
    finding = replace(error("Deployment/web", "It needs 350m.", "Add a node."), check="capacity")
    world.findings["production"] = (finding,)
    with pytest.raises(PreflightError, match="1 thing would fail in production") as failed:
        world.release("0.1.0")
    assert failed.value.findings == (finding,)
    assert (world.engine.built, versions_in(world, "staging")) == ([], [])
    assert tree.git("log", "--format=%s") == "add"
    world.findings.clear()
    assert world.release("0.1.0") == ALL


def test_findings_that_do_not_stop_are_journaled_with_the_step(world: World, tree: Tree) -> None:
    """What was known beforehand can be read afterwards."""
    finding = replace(warning("Deployment/web", "It is tight.", "Add a node."), check="capacity")
    world.findings["staging"] = (finding,)
    world.release("0.1.0")
    entries = [
        json.loads(line) for line in (tree.path / ".release/0.1.0/journal.jsonl").read_text().splitlines()
    ]
    (outcome,) = [
        one["outcome"] for one in entries if (one["step"], one["happening"]) == ("preflight:staging", "done")
    ]
    assert [one["cause"] for one in outcome["findings"]] == ["It is tight."]


def test_later_commits_that_change_no_input_leave_a_finished_release_finished(
    world: World, tree: Tree
) -> None:
    """An empty commit, another tag and a new document are not part of what was released."""
    world.release("0.1.0")
    tree.commit("docs", {"README.md": "hello\n"})
    tree.git("tag", "nightly")
    assert world.session.release("0.1.0").is_finished


def test_one_changed_service_rebuilds_one_image(world: World, tree: Tree) -> None:
    """The other is reused with the reason, keeping tag and digest in the values."""
    world.release("0.1.0")
    tree.commit("api: Change.", {"api/main.py": "print(1)\n"})
    plan = world.session.release("0.2.0")
    reasons = {step.id: step.reason for step in plan.steps}
    assert reasons["build:web"] == "reused: the same inputs as in the last release"
    assert reasons["build:api"] == "rebuilt: changed since the last release: api/main.py"
    assert world.release("0.2.0") == [step for step in ALL if step != "build:web"]
    assert world.engine.built == ["web", "api", "api"]
    assert "web" not in tree.git("show", "--format=", "--unified=0", "v0.2.0")


@pytest.mark.parametrize("step", [mark + step for step in ALL for mark in ("~", "")])
def test_killed_anywhere_the_same_command_goes_on_from_there(world: World, tree: Tree, step: str) -> None:
    """Killed at the start of a step or right after it, the second run does exactly the rest."""
    with killed_after(world, step):
        world.release("0.1.0")
    reached = ALL.index(step.removeprefix("~")) + (0 if step.startswith("~") else 1)
    rest = ALL[reached:]
    if step in {"confirm:production", "~deploy:production"}:
        rest = ["confirm:production", *rest]  # agreement to a run that died is no agreement to the next one
    # So is what was found then: every environment that is still to be deployed is inspected again.
    again = [one for one in CHECKED if one.replace("preflight", "deploy") in rest]
    assert world.release("0.1.0") == again + [one for one in rest if one not in CHECKED]
    assert world.session.release("0.1.0").is_finished
    assert versions_in(world, "production") == [("0.1.0", "deployed")]
    assert tree.git("log", "--format=%s") == "release: 0.1.0.\nadd"
    assert world.engine.built == ["web", "api"]


def test_killed_between_the_two_files_of_the_commit_goes_on(world: World, tree: Tree) -> None:
    """A tree that is dirty only by what this release wrote is accepted, and committed once."""
    with killed_after(world, "build:api"):
        world.release("0.1.0")
    text = (tree.path / "chart/Chart.yaml").read_text()
    tree.write({"chart/Chart.yaml": text.replace("0.0.0", "0.1.0")})
    assert world.release("0.1.0") == [*CHECKED, *ALL[4:]]


def test_interrupted_step_is_named_by_the_next_run(world: World) -> None:
    """A person sees where the last run was cut off."""
    with killed_after(world, "~deploy:staging"):
        world.release("0.1.0")
    world.release("0.1.0")
    assert isinstance(world.events[0], PlanStarted)
    assert world.events[0].interrupted == ("deploy:staging",)


def test_helm_killed_in_the_middle_is_unlocked_under_the_lock(world: World) -> None:
    """A pending revision of a dead run is marked failed and the version deployed after it."""
    world.helm["staging"].dies_in = "upgrade"
    with pytest.raises(KilledError):
        world.release("0.1.0")
    world.helm["staging"].dies_in = None
    world.release("0.1.0")
    assert versions_in(world, "staging") == [("0.1.0", "failed"), ("0.1.0", "deployed")]
    assert [record.result for record in world.records("staging").read()] == ["failed", "verified"]
    notes = [event.text for event in world.events if isinstance(event, StepSpoke) and event.is_note]
    assert "revision 1 was left pending-upgrade by a run that died; unlocked" in notes


def test_lock_is_held_from_deployment_to_verdict_and_not_while_a_person_thinks(world: World) -> None:
    """Staging is free again when the question about production is asked."""
    world.release("0.1.0")
    assert world.locks == ["+staging", "-staging", "+production", "-production"]


def test_failure_in_staging_restores_it_and_never_reaches_production(world: World, tree: Tree) -> None:
    """The version before runs again in staging; production was not touched; the cause is recorded."""
    world.release("0.1.0")
    tree.commit("web: Break.", {"web/index.js": "broken\n"})
    world.helm["staging"].refuses = "0.2.0"
    with pytest.raises(HelmError) as failed:
        world.release("0.2.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert versions_in(world, "staging") == [
        ("0.1.0", "superseded"),
        ("0.2.0", "failed"),
        ("0.1.0", "deployed"),
    ]
    assert versions_in(world, "production") == [("0.1.0", "deployed")]
    assert [(one.version, one.result, one.cause) for one in world.records("staging").read()] == [
        ("0.1.0", "verified", None),
        ("0.2.0", "failed", "Helm refused."),
        ("0.1.0", "deployed", "rollback to revision 1"),
    ]
    assert isinstance(world.events[-1], StepFailed)


def test_version_that_was_rolled_back_to_counts_as_deployed(world: World, tree: Tree) -> None:
    """After the rollback only the checks are left to do for the older version in that environment."""
    world.release("0.1.0")
    tree.commit("web: Break.", {"web/index.js": "broken\n"})
    world.helm["staging"].refuses = "0.2.0"
    with pytest.raises(HelmError):
        world.release("0.2.0")
    assert [step.id for step in world.session.deployment("0.1.0", ["staging"]).pending] == ["verify:staging"]


def test_failed_smoke_check_restores_what_ran_before(world: World, tree: Tree) -> None:
    """Rolled out is not good enough; the failed checks are named, and the logs are kept before they go."""
    world.release("0.1.0")
    tree.commit("web: Break.", {"web/index.js": "broken\n"})
    world.failing_checks["https://staging.example.com"] = "500"
    with pytest.raises(SmokeError, match="home: 500") as failed:
        world.release("0.2.0")
    assert failed.value.evidence == str(tree.path / ".release/0.2.0/evidence/staging")
    assert versions_in(world, "staging")[-1] == ("0.1.0", "deployed")
    assert versions_in(world, "production") == [("0.1.0", "deployed")]


def test_failed_first_deployment_is_left_to_be_looked_at(world: World) -> None:
    """There is nothing to go back to, and nothing is deleted."""
    world.helm["staging"].refuses = "0.1.0"
    with pytest.raises(HelmError) as failed:
        world.release("0.1.0")
    assert failed.value.__notes__ == ["there was no earlier version to go back to"]
    assert versions_in(world, "staging") == [("0.1.0", "failed")]


def test_corrected_cause_lets_the_same_version_go_on(world: World) -> None:
    """When the cluster was at fault, the version does not have to change."""
    world.helm["staging"].refuses = "0.1.0"
    with pytest.raises(HelmError):
        world.release("0.1.0")
    world.helm["staging"].refuses = None
    assert world.release("0.1.0") == [*CHECKED, *ALL[7:]]


def test_declined_production_stays_as_it_is_and_can_be_asked_again(world: World) -> None:
    """Staging keeps the version; the next run goes on with the question."""
    world.answer = False
    with pytest.raises(DeclinedError):
        world.release("0.1.0")
    assert versions_in(world, "production") == []
    world.answer = True
    assert world.release("0.1.0") == [
        "preflight:production",
        "confirm:production",
        "deploy:production",
        "verify:production",
    ]


def test_production_refuses_what_staging_has_not_verified(world: World) -> None:
    """Deploying by hand past staging is refused where it matters: at the environment."""
    with killed_after(world, "deploy:staging"):
        world.release("0.1.0")
    session = world.session
    with pytest.raises(PromotionError, match="staging has not verified"):
        session.run(session.deployment("0.1.0", ["production"]), world.events.append)
    assert versions_in(world, "production") == []


def test_release_up_to_staging_is_promoted_later(world: World) -> None:
    """CI releases to staging in one job and promotes in another, with its own approval."""
    session = world.session
    session.run(session.release("0.1.0", "staging"), world.events.append)
    assert versions_in(world, "production") == []
    session.run(session.promotion("0.1.0"), world.events.append)
    assert versions_in(world, "production") == [("0.1.0", "deployed")]
    assert session.release("0.1.0").is_finished


def test_release_up_to_an_unknown_environment_is_refused(world: World) -> None:
    """The error names those that there are."""
    with pytest.raises(ConfigError, match="Choose one of: staging, production"):
        world.session.release("0.1.0", "nowhere")


def test_promotion_needs_an_environment_that_requires_another(tree: Tree) -> None:
    """Where nothing is required there is nothing to promote to."""
    text = RELEASE_YAML.replace("    requires: staging\n", "")
    tree.commit("shop: Require nothing.", {"release.yaml": text})
    with pytest.raises(ConfigError, match="nothing to promote to"):
        World(tree.path).session.promotion("0.1.0")


def test_released_version_with_other_content_is_refused(world: World, tree: Tree) -> None:
    """A version never changes; the message names the change and the next version."""
    world.release("0.1.0")
    tree.write({"web/index.js": "changed\n"})
    with pytest.raises(VersionError, match=r"web/index\.js.*as 0\.1\.1"):
        world.release("0.1.0")


def test_dirty_tree_is_refused_before_anything_is_done(world: World, tree: Tree) -> None:
    """Nothing is built from what nobody committed."""
    tree.write({"web/index.js": "changed\n", "new.txt": ""})
    with pytest.raises(RepositoryError, match=r"new\.txt, web/index\.js"):
        world.release("0.1.0")
    assert world.engine.built == []


def test_whom_git_does_not_know_may_look_and_not_release(world: World, nobody: None) -> None:
    """Said before anything is built, with what to do."""
    with pytest.raises(RepositoryError, match="does not know who is releasing") as refused:
        world.release("0.1.0")
    assert "user.name and user.email" in refused.value.remedy
    assert world.engine.built == []
    assert world.session.release("0.1.0").steps[0].id == "preflight:staging"


def test_other_branch_is_refused(world: World, tree: Tree) -> None:
    """Releases come from one branch."""
    tree.git("switch", "--quiet", "--create", "feature")
    with pytest.raises(RepositoryError, match="made from main, but feature"):
        world.release("0.1.0")


def test_plan_lists_every_refusal_at_once(world: World, tree: Tree) -> None:
    """A person corrects all of them before the next try, not one by one."""
    tree.git("tag", "v1.0.0")
    tree.write({"new.txt": ""})
    world.registry.is_down = True
    refusals = world.session.release("0.5.0").refusals
    assert [type(refusal) for refusal in refusals] == [RegistryError, VersionError, RepositoryError]


def test_version_name_that_is_another_image_is_not_moved(world: World) -> None:
    """Somebody pushed v0.1.0 by hand; versions never change."""
    world.registry.digests[("shop/web", "v0.1.0")] = "sha256:other"
    with pytest.raises(RegistryError, match="is sha256:other, not"):
        world.release("0.1.0")


@pytest.fixture
def shared(tree: Tree, remote: Tree, tmp_path: Path) -> World:
    """The same, with origin as the remote of releases."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("remote: origin\n")
    return World(tree.path, Overrides(files=(overlay,)))


def test_release_with_a_remote_pushes_branch_and_tag_before_it_deploys(shared: World, tree: Tree) -> None:
    """The tag is out when every image is, and nothing is deployed that others cannot see.

    * release: 0.1.0. (HEAD -> main, tag: v0.1.0, origin/main)
    * add
    """
    assert shared.release("0.1.0") == [*ALL[:7], "push", *ALL[7:]]
    refs, head = Repository(tree.path).remote_refs("origin"), tree.git("rev-parse", "HEAD")
    assert (refs.branches, refs.tags) == ({"main": head}, {"v0.1.0": head})
    assert shared.session.release("0.1.0").is_finished


@pytest.mark.parametrize("step", ["~push", "push"])
def test_killed_around_the_push_goes_on(shared: World, step: str) -> None:
    """Nothing is half published: the remote has both, or neither and gets them."""
    with killed_after(shared, step):
        shared.release("0.1.0")
    assert shared.release("0.1.0") == [*CHECKED, *(["push"] if step == "~push" else []), *ALL[7:]]


def test_branch_behind_its_remote_is_refused(shared: World, tree: Tree) -> None:
    """Someone else's commits would be missing in the release.

    * theirs (origin/main)
    * add (HEAD -> main)
    """
    tree.commit("theirs")
    tree.git("push", "--quiet", "origin", "main")
    tree.git("reset", "--quiet", "--hard", "HEAD~1")
    with pytest.raises(RepositoryError, match="main lacks commits that origin has"):
        shared.release("0.1.0")


def test_version_tagged_only_on_the_remote_is_refused(shared: World, tree: Tree) -> None:
    """Somebody released it, and this clone does not know yet."""
    tree.git("push", "--quiet", "origin", "HEAD:refs/tags/v0.1.0")
    with pytest.raises(VersionError, match="git fetch --tags origin"):
        shared.release("0.1.0")
