"""Compares what an environment needs of the broker with what is there. Pure: two states in, changes out."""

from collections.abc import Iterator
from dataclasses import dataclass

from todo_cluster.kafka.wanted import AccessRule, BrokerState, TopicState


@dataclass(frozen=True, slots=True)
class CreateTopic:
    """Creates a topic."""

    topic: TopicState

    def __str__(self) -> str:
        """Returns what is done, with the numbers that matter."""
        hours = int(self.topic.settings["retention.ms"]) / 3_600_000
        return (
            f"create topic {self.topic.name}: {self.topic.partitions} partitions on "
            f"{self.topic.replication_factor} brokers, kept for {hours:g} h"
        )


@dataclass(frozen=True, slots=True)
class AddPartitions:
    """Adds partitions; events of one key may then overtake earlier ones, once."""

    topic: str
    earlier: int
    partitions: int

    def __str__(self) -> str:
        """Returns what is done and what it costs."""
        return (
            f"add partitions to {self.topic}: {self.earlier} -> {self.partitions}; keys move to other "
            "partitions, so events in flight may be handled out of order once"
        )


@dataclass(frozen=True, slots=True)
class ChangeSetting:
    """Sets one setting of a topic."""

    topic: str
    name: str
    earlier: str
    value: str

    def __str__(self) -> str:
        """Returns what is done."""
        return f"set {self.name} of {self.topic}: {self.earlier or 'not set'} -> {self.value}"


@dataclass(frozen=True, slots=True)
class AddRule:
    """Gives the account a right."""

    rule: AccessRule

    def __str__(self) -> str:
        """Returns what is done."""
        return f"allow {self.rule}"


Change = CreateTopic | AddPartitions | ChangeSetting | AddRule


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """The changes in their order, what cannot be changed and why, and what is there beside what is needed."""

    changes: tuple[Change, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]


def make_plan(wanted: BrokerState, live: BrokerState) -> BrokerPlan:
    """Returns what makes the broker as it must be."""
    changes: list[Change] = []
    refusals: list[str] = []
    for topic in wanted.topics.values():
        there = live.topics.get(topic.name)
        if there is None:
            changes.append(CreateTopic(topic))
            continue
        refusals += _refusals(topic, there)
        if topic.partitions > there.partitions:
            changes.append(AddPartitions(topic.name, there.partitions, topic.partitions))
        for name, value in topic.settings.items():
            if there.settings.get(name) != value:
                changes.append(ChangeSetting(topic.name, name, there.settings.get(name, ""), value))
    notes = []
    if wanted.rules is not None and live.rules is None:
        refusals.append(
            "The broker has no authorizer, so everybody may do everything. Switch one on, or set "
            "kafka.access_lists to false in cluster.yaml."
        )
    elif wanted.rules is not None and live.rules is not None:
        # First, so that nothing else is changed where the broker refuses them.
        changes = [*(AddRule(rule) for rule in sorted(wanted.rules - live.rules)), *changes]
        notes = [
            f"the account also may {rule}; it is not taken away" for rule in sorted(live.rules - wanted.rules)
        ]
    return BrokerPlan(tuple(changes), tuple(refusals), tuple(notes))


def _refusals(wanted: TopicState, there: TopicState) -> Iterator[str]:
    if wanted.partitions < there.partitions:
        yield (
            f"{wanted.name} has {there.partitions} partitions, and Kafka never removes one: raise "
            f"`partitions` in cluster.yaml to {there.partitions}, or delete the topic with all of its events."
        )
    if wanted.replication_factor != there.replication_factor:
        yield (
            f"{wanted.name} is on {there.replication_factor} brokers, not {wanted.replication_factor}: Kafka "
            "changes that only by a reassignment of each partition; set `replication_factor` to its number."
        )
