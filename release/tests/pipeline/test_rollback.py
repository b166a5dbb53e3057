"""Going back to a version by its name."""

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

from ..doubles.world import World
from ..shop import Tree


@pytest.fixture
def world(tree: Tree) -> World:
    """0.1.0, then 0.2.0 with another web and a migration, in both environments."""
    tree.commit(
        "migrations", {"release.yaml": (tree.path / "release.yaml").read_text() + "migrations: [api/sql]\n"}
    )
    made = World(tree.path)
    made.release("0.1.0")
    tree.commit("web: Change it.", {"web/index.js": "changed\n"})
    tree.commit("api: Add a column.", {"api/sql/002.sql": "alter\n"})
    made.release("0.2.0")
    return made


def go_back(
    world: World, environment: str = "production", version: str | None = None, service: str | None = None
) -> list[str]:
    """Roll back, and return what was done."""
    session = world.session
    world.events.clear()
    session.run(session.rollback(environment, version, service), world.events.append)
    return world.done


def test_rollback_goes_to_the_last_verified_version_with_its_digests(world: World) -> None:
    """The recorded digests of 0.1.0 run again, from the chart as it was tagged; nothing is rebuilt."""
    built = list(world.engine.built)
    assert go_back(world) == ["confirm:production", "deploy:production", "verify:production"]
    assert world.helm["production"].revisions[-1].app_version == "0.1.0"
    first, *_, last = world.records("production").read()
    assert (last.digests, last.result, last.version) == (first.digests, "verified", "0.1.0")
    assert world.engine.built == built
    assert world.helm["staging"].revisions[-1].app_version == "0.2.0"


def test_rollback_previews_what_it_takes_back(world: World) -> None:
    """Which images change, which commits go, and that migrated data stays migrated."""
    findings = world.session.rollback("production", None).findings
    assert findings[0] == "production goes from 0.2.0 back to 0.1.0"
    assert [finding.partition(":")[0] for finding in findings[1:3]] == ["web", "api"]
    assert findings[3] == "takes back 3 commits: release: 0.2.0.; api: Add a column.; web: Change it."
    assert findings[4] == "crosses migrations, whose changes to data stay: api/sql/002.sql"


def test_rollback_asks_where_release_yaml_asks(world: World) -> None:
    """A person confirms production, also backwards."""
    world.answer = False
    with pytest.raises(DeclinedError):
        go_back(world)
    assert world.helm["production"].revisions[-1].app_version == "0.2.0"


def test_rollback_to_a_named_version_and_forward_again(world: World, tree: Tree) -> None:
    """0.2.0 may return without a detour through staging: it was verified here."""
    go_back(world, version="0.1.0")
    assert go_back(world, version="0.2.0")[-1] == "verify:production"
    assert [one.version for one in world.records("production").read()] == ["0.1.0", "0.2.0", "0.1.0", "0.2.0"]


def test_hooks_run_forward_and_not_back(world: World) -> None:
    """An old migration may not know what a newer one made, and data stays anyway; of one service alike."""
    go_back(world, version="0.1.0")
    go_back(world, version="0.2.0")
    go_back(world, service="web")
    assert world.helm["production"].hooks[-3:] == [False, True, False]


def test_rollback_that_fails_its_checks_restores_what_ran(world: World) -> None:
    """The environment is never left on a version that does not answer."""
    world.failing_checks["https://example.com"] = "500"
    with pytest.raises(SmokeError):
        go_back(world)
    assert world.helm["production"].revisions[-1].app_version == "0.2.0"


def test_rollback_of_the_first_version_has_nowhere_to_go(tree: Tree) -> None:
    """Said before anything is touched."""
    world = World(tree.path)
    world.release("0.1.0")
    with pytest.raises(VersionError, match=r"No version before 0\.1\.0 was verified"):
        world.session.rollback("production", None)


def test_rollback_where_nothing_runs_is_refused(tree: Tree) -> None:
    """There is no revision to start from."""
    with pytest.raises(VersionError, match="Nothing was ever deployed to staging"):
        World(tree.path).session.rollback("staging", None)


def test_rollback_to_what_the_registry_lost_is_refused(world: World) -> None:
    """Found out before the rollout, not by a node that cannot pull."""
    lost = world.records("production").read()[0].digests["web"]
    world.registry.digests = {key: digest for key, digest in world.registry.digests.items() if digest != lost}
    (refusal,) = world.session.rollback("production", "0.1.0").refusals
    assert isinstance(refusal, RegistryError)
    assert "no longer has the images of 0.1.0: web" in refusal.problem


def test_rollback_to_what_was_never_verified_there_is_refused(world: World, tree: Tree) -> None:
    """A version that only staging saw is a promotion, not a rollback."""
    tree.commit("web: Again.", {"web/index.js": "again\n"})
    world.answer = False
    with pytest.raises(DeclinedError):
        world.release("0.3.0")
    (refusal,) = world.session.rollback("production", "0.3.0").refusals
    assert isinstance(refusal, PromotionError)


def test_rollback_to_an_unknown_version_is_refused(world: World) -> None:
    """A clone without that tag cannot deploy it."""
    refusals = world.session.rollback("production", "9.0.0").refusals
    assert [type(refusal) for refusal in refusals] == [VersionError]


def test_many_commits_are_counted_and_the_newest_named(world: World) -> None:
    """A preview stays readable."""
    session = world.session
    facts = rollback.survey(session.context, session.registry, "production", None)
    long = rollback.RollbackFacts(
        **{name: getattr(facts, name) for name in facts.__dataclass_fields__} | {"commits": tuple("abcdefg")}
    )
    assert "takes back 7 commits: a; b; c; d; e; and 2 more" in rollback.plan(long).findings


def test_one_service_goes_back_and_the_others_stay(world: World) -> None:
    """0.2.0 runs on with the web of 0.1.0; the whole name of the image is replaced, never a part of it."""
    plan = world.session.rollback("production", None, "web")
    assert plan.findings[0] == "web in production goes from 0.2.0 back to 0.1.0"
    assert "takes back 1 commit: web: Change it." in plan.findings
    assert [step.title for step in plan.steps][1] == "Deploy 0.2.0 with web of 0.1.0 to production"
    assert go_back(world, service="web") == ["confirm:production", "deploy:production", "verify:production"]
    first, second, last = world.records("production").read()
    assert last.digests == {"web": first.digests["web"], "api": second.digests["api"]}
    assert (last.version, last.result) == ("0.2.0", "verified")
    assert world.helm["production"].overlays[-1]["web"]["image"]["digest"] == first.digests["web"]
    assert set(world.helm["production"].overlays[-1]["web"]["image"]) == {"repository", "tag", "digest"}


def test_releasing_again_ends_the_emergency(world: World) -> None:
    """The plan sees that not all of 0.2.0 runs, and says so."""
    go_back(world, service="web")
    (step,) = (one for one in world.session.release("0.2.0").steps if one.id == "deploy:production")
    assert (step.is_done, step.reason) == (False, "0.2.0 runs there, with other images or values")


def test_service_that_never_was_another_has_nowhere_to_go(tree: Tree) -> None:
    """Going back to the same image would be no help, only a rollout."""
    world = World(tree.path)
    world.release("0.1.0")
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    world.release("0.2.0")
    with pytest.raises(VersionError, match="with another api"):
        world.session.rollback("production", None, "api")


def test_unknown_service_is_refused_with_the_known_ones(world: World) -> None:
    """A typing mistake in an emergency."""
    with pytest.raises(ConfigError, match="Choose one of: web, api"):
        world.session.rollback("production", None, "wbe")
