"""What an environment needs of its broker, from cluster.yaml and the chart together."""

import re
from pathlib import Path

import pytest

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.config import loader as cluster_loader
from todo_cluster.kafka.wanted import AccessRule, find_wanted
from todo_release.config import loader
from todo_release.errors import ConfigError

from ..sample_application import SampleApplication

ROOT = Path(__file__).parents[4]
TOPICS_OF_SERVICES = ROOT / "libs/todo_kit/src/todo_kit/topics.py"


def test_topics_are_those_that_the_services_use() -> None:
    """`todo_kit.topics` composes the names; one that only one side knows would be found by lost events."""
    named = set(re.findall(r'f"\{self\.prefix\}([a-z-]+)"', TOPICS_OF_SERVICES.read_text(encoding="utf-8")))
    assert named == set(cluster_loader.load(ROOT).kafka.topics)


@pytest.mark.parametrize(("name", "prefix"), [("staging", "staging-"), ("production", "")])
def test_names_and_rights_follow_the_chart(name: str, prefix: str) -> None:
    """The account of one environment gets no right on the topics and groups of the other."""
    environment = ApplicationEnvironment(ROOT, loader.load(ROOT), name)
    wanted = find_wanted(cluster_loader.load(ROOT).kafka, environment.manifest)
    assert set(wanted.topics) == {
        f"{prefix}{topic}" for topic in ("task-events", "notifications", "dead-letters")
    }
    assert wanted.rules is not None
    assert {rule.name for rule in wanted.rules if rule.resource == "TOPIC"} == set(wanted.topics)
    groups = {rule for rule in wanted.rules if rule.resource == "GROUP"}
    assert groups == {AccessRule("GROUP", f"{name}-", True, how) for how in ("READ", "DESCRIBE")}


def test_environment_without_kafka_is_refused(application: SampleApplication) -> None:
    """Redis as the broker has no topics to make."""
    settings = cluster_loader.load(ROOT).kafka
    with pytest.raises(ConfigError, match=r"no component of type pubsub\.kafka"):
        find_wanted(settings, application.environment("staging").manifest)
