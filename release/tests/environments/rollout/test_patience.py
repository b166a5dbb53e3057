"""Tests how long a workload's problems are waited for, and what may repair them."""

import pytest

from todo_release.adapters.kubernetes.manifest import parse_manifest
from todo_release.config.model import Config
from todo_release.config.preflight import NodePools
from todo_release.config.rollout import RolloutSettings
from todo_release.environments.rollout.patience import (
    Patience,
    annotation_problems,
    may_grow,
    patience_of,
)
from todo_release.errors import ClusterError

from ...doubles.scripted import FakeCluster

PREFIX = "rollout.release-engine.dev/"
MANIFEST = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app}
spec: {target: {name: app-secrets}}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: pull}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web}
spec: {secretName: web-tls}
---
apiVersion: v1
kind: Secret
metadata: {name: plain}
"""


def config() -> Config:
    """Returns a configuration with settings for all environments and for one."""
    return Config.model_validate(
        {
            "name": "shop",
            "registry": {"repository": "registry.test/shop"},
            "images": {"web": {"dockerfile": "web/Dockerfile", "inputs": ["web"], "values": "web.image"}},
            "rollout": {"crash_seconds": 20, "hook_timeout_seconds": 30},
            "environments": {
                name: {
                    "context": "test",
                    "namespace": name,
                    "release": "shop",
                    "url": f"https://{name}.test",
                    "rollout": rollout,
                }
                for name, rollout in (("staging", {"crash_seconds": 60}), ("production", {}))
            },
        }
    )


def test_environment_overrides_the_common_settings() -> None:
    """What an environment does not say is as in all."""
    manifest = parse_manifest(MANIFEST)
    staging, production = (patience_of(config(), name, manifest) for name in ("staging", "production"))
    assert (staging.settings.crash_seconds, production.settings.crash_seconds) == (60, 20)
    assert staging.settings.hook_timeout_seconds == 30
    assert config().hook_timeout_of("staging") == 30


def test_secrets_that_controllers_create_are_found_in_the_manifest() -> None:
    """The Secret has the name that the object says, or the object's own."""
    patience = patience_of(config(), "staging", parse_manifest(MANIFEST))
    assert patience.managed_secrets == {"app-secrets", "pull", "web-tls"}


def test_annotations_of_a_workload_win() -> None:
    """Annotations that are wrong do not count here, because preflight refuses them."""
    patience = Patience(settings=RolloutSettings(crashes=3))
    settings = patience.settings_of(
        {
            f"{PREFIX}crash-seconds": "120",
            f"{PREFIX}readiness-seconds": "soon",
            f"{PREFIX}hook-timeout-seconds": "1",
            f"{PREFIX}unknown": "1",
            "other/crashes": "9",
        }
    )
    assert settings == RolloutSettings(crashes=3, crash_seconds=120)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("crash-seconds", "120", None),
        ("crashes", "0", "is '0', which is not a number that is allowed"),
        ("readiness-seconds", "5m", "is '5m', which is not a number that is allowed"),
        (
            "hook-timeout-seconds",
            "60",
            "is not known; known are: rollout.release-engine.dev/readiness-seconds",
        ),
        ("patience", "60", "is not known"),
    ],
)
def test_wrong_annotation_is_a_problem(name: str, value: str, problem: str | None) -> None:
    """The sentence names the annotation, and what is allowed."""
    problems = list(annotation_problems({PREFIX + name: value, "app.kubernetes.io/name": "web"}))
    assert [problem in text for text in problems] == ([True] if problem else [])


def test_cluster_may_grow_where_its_nodes_may_not_be_read() -> None:
    """Whoever declares pools expects them to grow; without pools nothing is asked."""

    class Forbidden(FakeCluster):
        def items(self, path: str, query: object = None) -> list[object]:
            raise ClusterError("nodes is forbidden", remedy="none")

    cluster = Forbidden(ClusterError("unused", remedy="none"))
    assert may_grow(cluster, NodePools(label="pool", max_nodes=1))
    assert not may_grow(cluster, None)
