"""What has to change on a broker, compared without one; tests/system/test_kafka_topics.py asks a real one."""

import pytest

from todo_cluster.kafka.plan import AddPartitions, AddRule, ChangeSetting, CreateTopic, make_plan
from todo_cluster.kafka.wanted import AccessRule, BrokerState, TopicState

READ = AccessRule("TOPIC", "a", False, "READ")
GROUP = AccessRule("GROUP", "staging-", True, "READ")


def state(partitions: int = 3, replication: int = 3, hours: int = 1, *, rules: object = None) -> BrokerState:
    """Returns a broker with one topic and these rights."""
    settings = {"retention.ms": str(hours * 3_600_000), "cleanup.policy": "delete"}
    topics = {"a": TopicState("a", partitions, replication, settings)}
    return BrokerState(topics, rules)  # type: ignore[arg-type]  # None, or a set of rules


def test_broker_as_it_must_be_needs_no_change() -> None:
    """The second run of the command does nothing."""
    assert make_plan(state(rules=frozenset({READ})), state(rules=frozenset({READ}))).changes == ()


def test_missing_topic_and_rights_are_made() -> None:
    """The text of each change has the numbers that matter."""
    plan = make_plan(state(rules=frozenset({READ, GROUP})), BrokerState({}, frozenset()))
    assert [type(change) for change in plan.changes] == [AddRule, AddRule, CreateTopic]
    assert [str(change) for change in plan.changes] == [
        "allow READ group staging-*",
        "allow READ topic a",
        "create topic a: 3 partitions on 3 brokers, kept for 1 h",
    ]


def test_more_partitions_and_another_retention_are_changes() -> None:
    """Adding partitions says what it costs."""
    plan = make_plan(state(partitions=6, hours=2), state(partitions=3))
    assert plan.changes == (
        AddPartitions("a", 3, 6),
        ChangeSetting("a", "retention.ms", "3600000", "7200000"),
    )
    assert "out of order" in str(plan.changes[0])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(state(partitions=2), "never removes one"), (state(replication=1), "reassignment")],
)
def test_what_kafka_cannot_change_is_refused_with_its_reason(wanted: BrokerState, expected: str) -> None:
    """A refusal says what to write into cluster.yaml instead."""
    plan = make_plan(wanted, state())
    assert not plan.changes
    [refusal] = plan.refusals
    assert expected in refusal


def test_further_rights_of_the_account_are_told_and_kept() -> None:
    """Somebody may need them for another reason."""
    plan = make_plan(state(rules=frozenset({READ})), state(rules=frozenset({READ, GROUP})))
    assert not plan.changes
    assert plan.notes == ("the account also may READ group staging-*; it is not taken away",)


def test_broker_without_authorizer_is_refused_unless_rights_are_not_wanted() -> None:
    """Otherwise staging could read production's events."""
    assert "no authorizer" in make_plan(state(rules=frozenset({READ})), state()).refusals[0]
    assert make_plan(state(), state()).refusals == ()
