"""Plans are pure: they turn facts into steps with reasons."""

from dataclasses import replace

import pytest

from todo_release.artifacts.chart import ImageReference
from todo_release.environments.status import RunningVersion
from todo_release.errors import ClusterError, PromotionError, RepositoryError, VersionError
from todo_release.pipeline.facts import (
    AnnouncementFacts,
    ChartFacts,
    EnvironmentFacts,
    GitFacts,
    ImageFacts,
    ReleaseFacts,
)
from todo_release.pipeline.plan import Plan, plan_deployment, plan_release
from todo_release.pipeline.steps import Verify

HEAD, TAGGED = "a" * 40, "b" * 40
GIT = GitFacts(head=HEAD, branch="main", release_branch="main", remote=None)
IMAGE = ImageFacts(
    name="web",
    context="web",
    repository="registry.test/shop/web",
    content_id="c0",
    digest=None,
    changed=None,
    last=None,
)
CHART = ChartFacts(version="0.0.0", files=("chart/Chart.yaml", "chart/values.yaml"), is_committed=False)
STAGING = EnvironmentFacts(
    name="staging", requires=None, needs_confirmation=False, target_id=None, running=None, is_verified=False
)
PRODUCTION = replace(STAGING, name="production", requires="staging", needs_confirmation=True)
FRESH = ReleaseFacts(git=GIT, images=(IMAGE,), chart=CHART, environments=(STAGING, PRODUCTION))
RUNNING = RunningVersion(version="0.1.0", deployment_id="id", revision=3, status="deployed", is_ready=True)
REFERENCE = ImageReference("registry.test/shop/web", "content-c0", "sha256:1")


def reason(plan: Plan, step: str) -> str:
    """Returns the reason of a step of a plan."""
    return next(planned.reason for planned in plan.steps if planned.id == step)


def finished() -> ReleaseFacts:
    """Returns the facts after 0.1.0 was released everywhere."""
    return ReleaseFacts(
        git=replace(GIT, tag_commit=TAGGED, remote="origin", remote_tag_commit=TAGGED),
        images=(replace(IMAGE, digest="sha256:1", last=REFERENCE, changed=(), is_tagged=True),),
        chart=replace(CHART, version="0.1.0", is_committed=True),
        environments=tuple(
            replace(environment, target_id="id", running=RUNNING, is_verified=True)
            for environment in (STAGING, PRODUCTION)
        ),
    )


def test_fresh_plan_has_every_step_in_order_and_none_done() -> None:
    """Publishing comes after the images, deploying after publishing, production after staging."""
    plan = plan_release(FRESH, "0.1.0")
    assert [step.id for step in plan.pending] == [
        "preflight:staging",
        "preflight:production",
        "build:web",
        "commit",
        "tag",
        "tag-images",
        "deploy:staging",
        "verify:staging",
        "confirm:production",
        "deploy:production",
        "verify:production",
    ]
    assert plan.findings == ("0.1.0 is the first release", "the work tree is clean, on main at aaaaaaaaaaaa")
    assert not plan.refusals


def test_finished_plan_lists_the_same_steps_all_done() -> None:
    """Every step of a finished release is done, and its reason says how that is known."""
    plan = plan_release(finished(), "0.1.0")
    assert plan.is_finished
    assert [step.id for step in plan.steps if step.is_done] == [step.id for step in plan.steps]
    assert reason(plan, "deploy:production") == "revision 3 runs these digests with these values and is ready"
    assert reason(plan, "confirm:production") == "nothing will change"
    assert reason(plan, "push") == "the remote has both"
    assert plan.findings == ("0.1.0 is tagged at bbbbbbbbbbbb and nothing it is made of has changed",)


def test_plan_watches_a_version_after_its_verification_where_release_yaml_says_so() -> None:
    """Production is changed only when staging's watch is over; a watch that was cut off is left to do."""
    staging = replace(STAGING, watch_minutes=5)
    plan = plan_release(replace(FRESH, environments=(staging, PRODUCTION)), "0.1.0")
    assert [step.id for step in plan.pending][6:10] == [
        "deploy:staging", "verify:staging", "watch:staging", "confirm:production",
    ]  # fmt: skip
    assert reason(plan, "watch:staging") == "its pods' answers, for up to 5 min; takes it back if they fail"
    assert [step.is_watched_next for step in plan.steps if isinstance(step, Verify)] == [True, False]
    done = finished()
    cut_off = replace(done.environments[0], watch_minutes=5)
    plan = plan_release(replace(done, environments=(cut_off, done.environments[1])), "0.1.0")
    assert [step.id for step in plan.pending] == ["watch:staging"]
    watched = replace(cut_off, is_watched=True)
    assert plan_release(replace(done, environments=(watched, done.environments[1])), "0.1.0").is_finished


def test_plan_with_refusals_is_never_finished() -> None:
    """A plan is not finished while an environment could not be read."""
    facts = replace(finished(), problems=(ClusterError("It is away.", remedy="Wait."),))
    assert not plan_release(facts, "0.1.0").is_finished


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (IMAGE, "rebuilt: never released before"),
        (replace(IMAGE, changed=("a", "b")), "rebuilt: changed since the last release: a, b"),
        (
            replace(IMAGE, changed=tuple("abcde")),
            "rebuilt: changed since the last release: a, b, c and 2 more",
        ),
        (
            replace(IMAGE, changed=()),
            "rebuilt: inputs are those of the last release but the registry has no content-c0",
        ),
        (replace(IMAGE, digest="sha256:1"), "reused: the registry has content-c0"),
        (replace(IMAGE, digest="sha256:2", last=REFERENCE), "reused: the registry has content-c0"),
        (replace(IMAGE, digest="sha256:1", last=REFERENCE), "reused: the same inputs as in the last release"),
    ],
)
def test_every_image_says_why_it_is_built_or_not(image: ImageFacts, why: str) -> None:
    """The reason of a build step names the changed inputs or the tag that is reused."""
    assert reason(plan_release(replace(FRESH, images=(image,)), "0.1.0"), "build:web") == why


@pytest.mark.parametrize(
    ("running", "why"),
    [
        (None, "first deployment"),
        (
            replace(RUNNING, version="0.0.9", deployment_id="old"),
            "0.0.9 runs there",
        ),
        (replace(RUNNING, deployment_id=None), "0.1.0 runs there, with other images or values"),
        (replace(RUNNING, status="failed"), "the last revision (3, 0.1.0) is failed"),
        (replace(RUNNING, is_ready=False), "revision 3 has these values but is not ready"),
    ],
)
def test_every_deployment_says_what_is_there(running: RunningVersion | None, why: str) -> None:
    """A failed revision, a changed deployment and unready pods all lead to a new deployment."""
    staging = replace(STAGING, target_id="id", running=running, is_verified=True)
    plan = plan_release(replace(finished(), environments=(staging,)), "0.1.0")
    assert reason(plan, "deploy:staging") == why
    assert [step.id for step in plan.pending] == ["preflight:staging", "deploy:staging", "verify:staging"]


def test_deployment_that_was_never_verified_is_only_verified() -> None:
    """A current deployment without smoke checks is verified and not deployed again."""
    staging = replace(STAGING, target_id="id", running=RUNNING)
    plan = plan_release(replace(finished(), environments=(staging,)), "0.1.0")
    assert [step.id for step in plan.pending] == ["verify:staging"]


@pytest.mark.parametrize(
    ("git", "error", "message"),
    [
        (replace(GIT, released=("0.1.0",)), VersionError, "not greater than 0.1.0"),
        (
            replace(GIT, remote="origin", remote_tag_commit=TAGGED),
            VersionError,
            "tagged on origin but not here",
        ),
        (replace(GIT, is_shallow=True), RepositoryError, "no full history"),
        (replace(GIT, branch="feature"), RepositoryError, "made from main, but feature is checked out"),
        (replace(GIT, branch=None), RepositoryError, "made from main, but no branch is checked out"),
        (replace(GIT, unexpected=("x",)), RepositoryError, "not committed: x"),
        (
            replace(GIT, remote="origin", is_behind_remote=True),
            RepositoryError,
            "lacks commits that origin has",
        ),
        (replace(GIT, tag_commit=TAGGED, changed=("web/a",)), VersionError, "has changed since: web/a"),
    ],
)
def test_plan_refuses_with_the_reason(git: GitFacts, error: type[Exception], message: str) -> None:
    """Each condition of a release has its own refusal."""
    (refusal,) = plan_release(replace(FRESH, git=git), "0.1.0").refusals
    assert isinstance(refusal, error)
    assert message in refusal.problem


def test_plan_refuses_text_that_is_no_version() -> None:
    """A text that is not a version raises VersionError instead of making a plan."""
    with pytest.raises(VersionError):
        plan_release(FRESH, "one")


def test_tag_that_is_not_pushed_leaves_only_the_push_to_do() -> None:
    """A run that was killed between tag and push continues with the push."""
    facts = finished()
    plan = plan_release(replace(facts, git=replace(facts.git, remote_tag_commit=None)), "0.1.0")
    assert [step.id for step in plan.pending] == ["push"]
    assert reason(plan, "push") == "only now, when every image exists"


def test_commit_without_tag_leaves_the_tag_to_do() -> None:
    """A run that was killed between commit and tag continues with the tag."""
    facts = finished()
    git = replace(facts.git, remote=None, tag_commit=None)
    pending = plan_release(replace(facts, git=git), "0.1.0").pending
    assert [step.id for step in pending] == ["tag", "tag-images"]


def test_deployment_of_a_version_that_was_never_released_is_refused() -> None:
    """A version without a tag has no commit to deploy from."""
    (refusal,) = plan_deployment(replace(FRESH, environments=(STAGING,)), "0.1.0").refusals
    assert isinstance(refusal, VersionError)
    assert "never released" in refusal.problem


def test_deployment_has_only_the_steps_of_its_environment() -> None:
    """A deployment builds, commits and pushes nothing."""
    facts = replace(finished(), environments=(replace(PRODUCTION, is_requirement_met=True),))
    assert [step.id for step in plan_deployment(facts, "0.1.0").steps] == [
        "preflight:production",
        "confirm:production",
        "deploy:production",
        "verify:production",
    ]


def test_deployment_to_the_last_environment_is_announced() -> None:
    """The approved half of a release ends with the release page, too."""
    announcement = AnnouncementFacts(repository="example/shop", url=None)
    plan = plan_deployment(replace(finished(), announcement=announcement), "0.1.0")
    assert plan.steps[-1].title == "Announce v0.1.0 on GitHub"


def test_deployment_past_an_environment_that_has_not_verified_it_is_refused() -> None:
    """The plan already refuses a version that the required environment has not verified."""
    facts = replace(finished(), environments=(replace(PRODUCTION, is_requirement_met=False),))
    (refusal,) = plan_deployment(facts, "0.1.0").refusals
    assert isinstance(refusal, PromotionError)
    assert "staging has not verified 0.1.0" in refusal.problem


def test_json_of_a_plan_holds_steps_with_reasons_and_refusals_with_codes() -> None:
    """Programs find ids and exit codes in the JSON of a plan."""
    plan = plan_release(replace(FRESH, git=replace(GIT, branch="feature")), "0.1.0")
    body = plan.as_json()
    assert body["refusals"][0]["exit_code"] == 4
    assert body["is_finished"] is False
    assert body["steps"][2] == {
        "kind": "build",
        "id": "build:web",
        "title": "Build web",
        "reason": "rebuilt: never released before",
        "is_done": False,
        "image": "web",
        "repository": "registry.test/shop/web",
        "content_id": "c0",
        "digest": None,
        "last": None,
        "is_first_of_context": True,
    }


def test_images_of_one_context_wait_for_the_first_of_them() -> None:
    """The first image of a context is built before the others; a reused image is in no queue."""
    names = [("a", "."), ("b", "."), ("c", "web"), ("d", "."), ("e", ".")]
    images = tuple(
        replace(IMAGE, name=name, context=context, digest="sha256:1" if name == "e" else None)
        for name, context in names
    )
    steps = [
        step for step in plan_release(replace(FRESH, images=images), "0.1.0").steps if step.kind == "build"
    ]
    assert [(step.id, step.wave) for step in steps] == [
        ("build:a", 0),
        ("build:c", 0),
        ("build:e", 0),
        ("build:b", 1),
        ("build:d", 1),
    ]
