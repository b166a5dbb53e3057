"""Rolling back to an earlier version."""

import pytest

from todo_release.errors import (
    ConfigError,
    DeclinedError,
    PromotionError,
    RegistryError,
    SmokeError,
    VersionError,
)
from todo_release.pipeline import rollback

from ..doubles.harness import Harness
from ..shop import Tree


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness with 0.1.0, then 0.2.0 with another web and a migration, in both environments."""
    tree.commit(
        "migrations", {"release.yaml": (tree.path / "release.yaml").read_text() + "migrations: [api/sql]\n"}
    )
    harness = Harness(tree.path)
    harness.release("0.1.0")
    tree.commit("web: Change it.", {"web/index.js": "changed\n"})
    tree.commit("api: Add a column.", {"api/sql/002.sql": "alter\n"})
    harness.release("0.2.0")
    return harness


def roll_back(
    harness: Harness, environment: str = "production", version: str | None = None, service: str | None = None
) -> list[str]:
    """Rolls back and returns the ids of the steps that were done."""
    session = harness.session
    harness.events.clear()
    session.run(session.plan_rollback(environment, version, service), harness.events.append)
    return harness.done


def test_rollback_goes_to_the_last_verified_version_with_its_digests(harness: Harness) -> None:
    """The recorded digests of 0.1.0 run again with the tagged chart, and nothing is rebuilt."""
    built = list(harness.engine.built)
    assert roll_back(harness) == ["confirm:production", "deploy:production", "verify:production"]
    assert harness.helm["production"].revisions[-1].app_version == "0.1.0"
    first, *_, last = harness.records("production").read()
    assert (last.digests, last.result, last.version) == (first.digests, "verified", "0.1.0")
    assert harness.engine.built == built
    assert harness.helm["staging"].revisions[-1].app_version == "0.2.0"


def test_rollback_previews_what_it_undoes(harness: Harness) -> None:
    """The plan names the changed images, the commits, and the migrations that are not undone."""
    findings = harness.session.plan_rollback("production", None).findings
    assert findings[0] == "production goes from 0.2.0 back to 0.1.0"
    assert [finding.partition(":")[0] for finding in findings[1:3]] == ["web", "api"]
    assert findings[3] == "takes back 3 commits: release: 0.2.0.; api: Add a column.; web: Change it."
    assert findings[4] == "crosses migrations, whose changes to data stay: api/sql/002.sql"


def test_rollback_asks_where_release_yaml_requires_confirmation(harness: Harness) -> None:
    """A rollback of production needs confirmation, as a release does."""
    harness.answer = False
    with pytest.raises(DeclinedError):
        roll_back(harness)
    assert harness.helm["production"].revisions[-1].app_version == "0.2.0"


def test_rollback_to_a_named_version_and_forward_again(harness: Harness, tree: Tree) -> None:
    """A version that was verified here may return without being verified in staging again."""
    roll_back(harness, version="0.1.0")
    assert roll_back(harness, version="0.2.0")[-1] == "verify:production"
    assert [record.version for record in harness.records("production").read()] == [
        "0.1.0",
        "0.2.0",
        "0.1.0",
        "0.2.0",
    ]


def test_hooks_run_forward_and_not_back(harness: Harness) -> None:
    """Hooks are skipped when a rollback installs older code, of all services or of one."""
    roll_back(harness, version="0.1.0")
    roll_back(harness, version="0.2.0")
    roll_back(harness, service="web")
    assert harness.helm["production"].hooks[-3:] == [False, True, False]


def test_rollback_that_fails_its_checks_restores_what_ran(harness: Harness) -> None:
    """A rollback whose smoke checks fail is itself undone."""
    harness.failing_checks["https://example.com"] = "500"
    with pytest.raises(SmokeError):
        roll_back(harness)
    assert harness.helm["production"].revisions[-1].app_version == "0.2.0"


def test_rollback_of_the_first_version_is_refused(tree: Tree) -> None:
    """Without an earlier verified version a rollback is refused before anything is changed."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    with pytest.raises(VersionError, match=r"No version before 0\.1\.0 was verified"):
        harness.session.plan_rollback("production", None)


def test_rollback_where_nothing_runs_is_refused(tree: Tree) -> None:
    """An environment without a deployment has nothing to roll back."""
    with pytest.raises(VersionError, match="Nothing was ever deployed to staging"):
        Harness(tree.path).session.plan_rollback("staging", None)


def test_rollback_works_although_the_records_were_deleted(harness: Harness) -> None:
    """Helm's storage knows which version worked before, so an emergency does not wait for records."""
    harness.cluster.config_maps.clear()
    assert roll_back(harness, "staging") == ["deploy:staging", "verify:staging"]
    assert [(record.version, record.result) for record in harness.records("staging").read()] == [
        ("0.1.0", "deployed"),
        ("0.2.0", "deployed"),
        ("0.1.0", "verified"),
    ]


@pytest.mark.parametrize("version", ["1.16", "2024-10", ""])
def test_rollback_from_what_another_tool_deployed(harness: Harness, version: str) -> None:
    """What runs need not have a semantic version to be replaced by one that was verified."""
    harness.helm["staging"]._add(version, "deployed", "Upgrade complete")
    assert roll_back(harness, "staging") == ["deploy:staging", "verify:staging"]
    assert harness.helm["staging"].revisions[-1].app_version == "0.2.0"


def test_rollback_to_images_that_the_registry_lost_is_refused(harness: Harness) -> None:
    """Missing images are found before the rollout."""
    lost = harness.records("production").read()[0].digests["web"]
    harness.registry.digests = {
        key: digest for key, digest in harness.registry.digests.items() if digest != lost
    }
    (refusal,) = harness.session.plan_rollback("production", "0.1.0").refusals
    assert isinstance(refusal, RegistryError)
    assert "no longer has the images of 0.1.0: web" in refusal.problem


def test_rollback_to_a_version_that_was_never_verified_there_is_refused(harness: Harness, tree: Tree) -> None:
    """A version that only staging has verified needs a promotion, not a rollback."""
    tree.commit("web: Again.", {"web/index.js": "again\n"})
    harness.answer = False
    with pytest.raises(DeclinedError):
        harness.release("0.3.0")
    (refusal,) = harness.session.plan_rollback("production", "0.3.0").refusals
    assert isinstance(refusal, PromotionError)


def test_rollback_to_an_unknown_version_is_refused(harness: Harness) -> None:
    """A version without a tag in this clone is refused."""
    refusals = harness.session.plan_rollback("production", "9.0.0").refusals
    assert [type(refusal) for refusal in refusals] == [VersionError]


def test_many_commits_are_counted_and_the_newest_named(harness: Harness) -> None:
    """A long list of commits is shortened to a count and the newest ones."""
    session = harness.session
    facts = rollback.survey(session.context, session.registry, "production", None)
    long = rollback.RollbackFacts(
        **{name: getattr(facts, name) for name in facts.__dataclass_fields__} | {"commits": tuple("abcdefg")}
    )
    assert "takes back 7 commits: a; b; c; d; e; and 2 more" in rollback.plan(long).findings


def test_one_service_goes_back_and_the_others_stay(harness: Harness) -> None:
    """The image of one service comes from 0.1.0, with its tag and digest; the others stay at 0.2.0."""
    plan = harness.session.plan_rollback("production", None, "web")
    assert plan.findings[0] == "web in production goes from 0.2.0 back to 0.1.0"
    assert "takes back 1 commit: web: Change it." in plan.findings
    assert [step.title for step in plan.steps][1] == "Deploy 0.2.0 with web of 0.1.0 to production"
    assert roll_back(harness, service="web") == [
        "confirm:production",
        "deploy:production",
        "verify:production",
    ]
    first, second, last = harness.records("production").read()
    assert last.digests == {"web": first.digests["web"], "api": second.digests["api"]}
    assert (last.version, last.result) == ("0.2.0", "verified")
    assert harness.helm["production"].overlays[-1]["web"]["image"]["digest"] == first.digests["web"]
    assert set(harness.helm["production"].overlays[-1]["web"]["image"]) == {"repository", "tag", "digest"}


def test_release_after_the_rollback_of_one_service_deploys_all_images_again(harness: Harness) -> None:
    """The plan of the running version sees that another image runs, and deploys."""
    roll_back(harness, service="web")
    (step,) = (step for step in harness.session.plan_release("0.2.0").steps if step.id == "deploy:production")
    assert (step.is_done, step.reason) == (False, "0.2.0 runs there, with other images or values")


def test_rollback_of_a_service_that_never_changed_is_refused(tree: Tree) -> None:
    """A service whose image was the same in every version cannot be rolled back."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    harness.release("0.2.0")
    with pytest.raises(VersionError, match="with another api"):
        harness.session.plan_rollback("production", None, "api")


def test_unknown_service_is_refused_with_the_known_ones(harness: Harness) -> None:
    """The error for an unknown service names the known ones."""
    with pytest.raises(ConfigError, match="Choose one of: web, api"):
        harness.session.plan_rollback("production", None, "wbe")
