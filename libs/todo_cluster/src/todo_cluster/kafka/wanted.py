"""What an environment needs of the broker: its topics, and the rights of its account.

The prefix of topics is the one that the chart gives to pods, that of consumer groups the one in components.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from todo_cluster.config.kafka import KafkaSettings
from todo_release.adapters.kubernetes.manifest import RenderedManifest
from todo_release.errors import ConfigError

PREFIX_VARIABLE = "TOPIC_PREFIX"
COMPONENT_TYPE = "pubsub.kafka"
MILLISECONDS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic: as it must be, or as it is; of its settings only those that are compared."""

    name: str
    partitions: int
    replication_factor: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, order=True)
class AccessRule:
    """One right of an account; `is_prefix` means all resources whose names begin so."""

    resource: str
    name: str
    is_prefix: bool
    operation: str

    def __str__(self) -> str:
        """Returns `READ topic staging-task-events`."""
        return f"{self.operation} {self.resource.lower()} {self.name}{'*' if self.is_prefix else ''}"


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The topics and the rights of one account; None where the broker keeps no rights."""

    topics: Mapping[str, TopicState]
    rules: frozenset[AccessRule] | None


def find_wanted(settings: KafkaSettings, manifest: RenderedManifest) -> BrokerState:
    """Returns what an environment needs.

    Raises:
        ConfigError: The chart does not use Kafka in this environment, or names more than one prefix.
    """
    groups = sorted(set(_group_prefixes(manifest)))
    if not groups:
        raise ConfigError(
            "The chart has no component of type pubsub.kafka for this environment.",
            remedy="Set pubsub.kind to kafka in its values, or use another environment.",
        )
    prefix = _topic_prefix(manifest)
    topics = {
        f"{prefix}{name}": TopicState(
            f"{prefix}{name}",
            topic.partitions,
            settings.replication_factor,
            {
                "retention.ms": str(int(topic.retention_hours * MILLISECONDS_PER_HOUR)),
                "cleanup.policy": "delete",
            },
        )
        for name, topic in settings.topics.items()
    }
    rules = [
        AccessRule("TOPIC", name, False, how) for name in topics for how in ("READ", "WRITE", "DESCRIBE")
    ]
    rules += [AccessRule("GROUP", group, True, how) for group in groups for how in ("READ", "DESCRIBE")]
    return BrokerState(topics, frozenset(rules) if settings.has_access_lists else None)


def _topic_prefix(manifest: RenderedManifest) -> str:
    prefixes = {
        str(variable.get("value") or "")
        for template in manifest.pods()
        for _, container in template.containers()
        for variable in container.get("env") or ()
        if variable["name"] == PREFIX_VARIABLE
    }
    if len(prefixes) != 1:
        found = ", ".join(repr(prefix) for prefix in sorted(prefixes)) or "none"
        raise ConfigError(
            f"The chart's pods have no single {PREFIX_VARIABLE}: {found}.",
            remedy="Let every service take the variable from pubsub.topicPrefix.",
        )
    return prefixes.pop()


def _group_prefixes(manifest: RenderedManifest) -> Iterator[str]:
    """Yields how the consumer groups of components begin, up to the first part that Dapr fills in."""
    for component in manifest.of_kind("Component"):
        if component.spec.get("type") == COMPONENT_TYPE:
            metadata: dict[str, Any] = {
                item["name"]: item.get("value") for item in component.spec["metadata"]
            }
            yield str(metadata.get("consumerGroup") or "").partition("{")[0]
