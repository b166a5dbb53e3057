"""Environments that share a broker need topics of their own."""

from dataclasses import replace
from typing import Any

import pytest

from todo_release.config.model import TargetEnvironment
from todo_release.preflight.checks.dapr import CHECK
from todo_release.preflight.snapshot import PreflightSnapshot, SiblingEnvironment

from ..snapshots import (
    findings_of,
    make_config,
    make_manifest,
    make_snapshot,
    severities_of,
)
from .dapr_objects import app, component


def with_sibling(
    ours: dict[str, Any], theirs: dict[str, Any], prefix: str | None, other: str | None
) -> PreflightSnapshot:
    """Returns staging with a component and a topic prefix, beside production with others."""
    settings: TargetEnvironment = make_config().environment("production")
    sibling = SiblingEnvironment(
        name="production", settings=settings, manifest=make_manifest(theirs), topic_prefix=other
    )
    snapshot = make_snapshot(app(), ours, config=make_config(preflight={"topic_prefix": "pubsub.prefix"}))
    return replace(snapshot, siblings=[sibling], topic_prefix=prefix)


BY_SECRET = {"secretKeyRef": {"name": "app", "key": "BROKERS"}}


LOCAL = component("pubsub.redis", redisHost="redis:6379")


@pytest.mark.parametrize(
    ("snapshot", "severities"),
    [
        (with_sibling(component(), component(), "", ""), ["error"]),
        (with_sibling(component(), component(), "staging-", ""), []),
        (with_sibling(component(), component(), None, None), []),
        (with_sibling(component(), component(brokers="other.shop.test:9092"), "", ""), []),
        (with_sibling(component(brokers=BY_SECRET), component(brokers=BY_SECRET), "x-", "x-"), ["warning"]),
        (with_sibling(LOCAL, LOCAL, "", ""), []),
        (with_sibling(component(), LOCAL, "", ""), []),
        (with_sibling(component("pubsub.in-memory"), component("pubsub.in-memory"), "", ""), []),
    ],
    ids=["same", "prefixed", "unknown", "other broker", "secret", "local names", "other type", "no broker"],
)
def test_two_environments_on_one_broker_need_different_topics(
    snapshot: PreflightSnapshot, severities: list[str]
) -> None:
    """Equal topics on one broker are an error; a host without a dot differs in each namespace."""
    assert severities_of(CHECK, snapshot) == severities


def test_shared_topics_name_the_value_to_change() -> None:
    """The remedy names the value that holds the prefix."""
    (finding,) = findings_of(CHECK, with_sibling(component(), component(), "", ""))
    assert finding.cause == (
        "Topics have no prefix in staging and in production. They share a broker, so each environment"
        " consumes"
        " the other's events."
    )
    assert finding.remedy == "Give one of them another pubsub.prefix in its values."
    (unsure,) = findings_of(
        CHECK, with_sibling(component(brokers=BY_SECRET), component(brokers=BY_SECRET), "x-", "x-")
    )
    assert unsure.cause == (
        "Topics begin with 'x-' in staging and in production. If both use one broker, each environment"
        " consumes the other's events."
    )
