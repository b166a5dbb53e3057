"""Which Secrets and keys the chart expects."""

from pathlib import Path

import pytest

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.secrets.wanted import DOCKER_CONFIG, PULL_SECRET_TYPE, find_wanted
from todo_release.config import loader

from ..sample_application import SampleApplication

ROOT = Path(__file__).parents[4]
GUIDE = ROOT / "docs/guides/secrets.md"


def test_keys_are_those_that_pods_and_components_read(application: SampleApplication) -> None:
    """A key of a component is read by the Deployments in its scopes; the chart's own Secrets are left out."""
    environment = application.environment("production")
    wanted = find_wanted(environment.manifest, environment.namespace)
    assert set(wanted) == {"app", "pull"}
    assert wanted["app"].users["DATABASE_URL"] == {"worker"}
    assert wanted["app"].users["REDPANDA_PASSWORD"] == {"worker"}
    assert wanted["pull"].type == PULL_SECRET_TYPE
    assert wanted["pull"].keys == (DOCKER_CONFIG,)


def test_optional_key_is_not_required_but_has_users(application: SampleApplication) -> None:
    """Pods start without it, and must restart when it changes."""
    environment = application.environment()
    app = find_wanted(environment.manifest, environment.namespace)["app"]
    assert "BETTER_AUTH_SECRETS" not in app.keys
    assert app.users_of(frozenset({"BETTER_AUTH_SECRETS"})) == {"web"}
    assert "REDPANDA_PASSWORD" not in app.keys


@pytest.mark.parametrize("name", ["staging", "production"])
def test_guide_explains_every_key_of_our_chart(name: str) -> None:
    """Nobody has to guess what a key is for."""
    environment = ApplicationEnvironment(ROOT, loader.load(ROOT), name)
    wanted = find_wanted(environment.manifest, environment.namespace)
    keys = {key for secret in wanted.values() for key in (*secret.users, *secret.optional)}
    text = GUIDE.read_text(encoding="utf-8")
    assert {key for key in keys if f"| `{key}`" not in text} == set()
