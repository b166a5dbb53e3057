"""Releases that are refused before anything is done, each with its reason."""

import pytest

from todo_release.errors import (
    ConfigError,
    PromotionError,
    RegistryError,
    RepositoryError,
    VersionError,
)

from .doubles.harness import Harness, killed_after
from .released_shop import versions_in
from .shop import RELEASE_YAML, Tree


def test_production_refuses_what_staging_has_not_verified(harness: Harness) -> None:
    """A deployment that skips staging is refused when it reaches production."""
    with killed_after(harness, "deploy:staging"):
        harness.release("0.1.0")
    session = harness.session
    with pytest.raises(PromotionError, match="staging has not verified"):
        session.run(session.plan_deployment("0.1.0", ["production"]), harness.events.append)
    assert versions_in(harness, "production") == []


def test_release_up_to_an_unknown_environment_is_refused(harness: Harness) -> None:
    """The error names the known environments."""
    with pytest.raises(ConfigError, match="Choose one of: staging, production"):
        harness.session.plan_release("0.1.0", "nowhere")


def test_promotion_needs_an_environment_that_requires_another(tree: Tree) -> None:
    """A promotion without a required environment is refused."""
    text = RELEASE_YAML.replace("    requires: staging\n", "")
    tree.commit("shop: Require nothing.", {"release.yaml": text})
    with pytest.raises(ConfigError, match="nothing to promote to"):
        Harness(tree.path).session.plan_promotion("0.1.0")


def test_released_version_with_other_content_is_refused(harness: Harness, tree: Tree) -> None:
    """The error names the change and the next version."""
    harness.release("0.1.0")
    tree.write({"web/index.js": "changed\n"})
    with pytest.raises(VersionError, match=r"web/index\.js.*as 0\.1\.1"):
        harness.release("0.1.0")


def test_dirty_tree_is_refused_before_anything_is_done(harness: Harness, tree: Tree) -> None:
    """Changes that are not committed are refused before the first build."""
    tree.write({"web/index.js": "changed\n", "new.txt": ""})
    with pytest.raises(RepositoryError, match=r"new\.txt, web/index\.js"):
        harness.release("0.1.0")
    assert harness.engine.built == []


def test_plan_without_a_git_author_is_made_and_refused(harness: Harness, without_git_author: None) -> None:
    """Without a git author the plan is made but cannot run."""
    with pytest.raises(RepositoryError, match="does not know who is releasing") as refused:
        harness.release("0.1.0")
    assert "user.name and user.email" in refused.value.remedy
    assert harness.engine.built == []
    assert harness.session.plan_release("0.1.0").steps[0].id == "preflight:staging"


def test_other_branch_is_refused(harness: Harness, tree: Tree) -> None:
    """A release from another branch is refused."""
    tree.git("switch", "--quiet", "--create", "feature")
    with pytest.raises(RepositoryError, match="made from main, but feature"):
        harness.release("0.1.0")


def test_plan_lists_every_refusal_at_once(harness: Harness, tree: Tree) -> None:
    """All refusals are listed, so that one correction is enough."""
    tree.git("tag", "v1.0.0")
    tree.write({"new.txt": ""})
    harness.registry.is_down = True
    refusals = harness.session.plan_release("0.5.0").refusals
    assert [type(refusal) for refusal in refusals] == [RegistryError, VersionError, RepositoryError]
