"""Reads topics and rights from a broker, and changes them."""

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from todo_cluster.broker import ANSWER_SECONDS, Broker
from todo_cluster.errors import BrokerError
from todo_cluster.kafka.plan import AddPartitions, AddRule, Change, ChangeSetting, CreateTopic
from todo_cluster.kafka.wanted import AccessRule, BrokerState, TopicState

COMPARED_SETTINGS = ("retention.ms", "cleanup.policy")
EVERYWHERE = "*"


class TopicAdmin:
    """The topics of a broker and the rights of one of its accounts."""

    def __init__(self, broker: Broker, account: str) -> None:
        """Takes the account whose rights are read and given, which need not be the one that is used."""
        self._broker = broker
        self._admin = broker.admin
        self._principal = f"User:{account}"

    def read(self, topics: Iterable[str], *, with_rules: bool) -> BrokerState:
        """Returns the state of these topics, without those that do not exist.

        Raises:
            BrokerError: The broker did not answer or refused.
        """
        there = self._broker.read_metadata().topics
        found = {name: there[name] for name in topics if name in there and there[name].error is None}
        settings = self._settings(found)
        return BrokerState(
            {
                name: TopicState(
                    name,
                    len(topic.partitions),
                    min(len(partition.replicas) for partition in topic.partitions.values()),
                    settings[name],
                )
                for name, topic in found.items()
            },
            self._rules() if with_rules else None,
        )

    def apply(self, change: Change) -> None:
        """Makes one change; what somebody else made at the same moment is fine.

        Raises:
            BrokerError: The broker refused.
        """
        futures: Mapping[Any, Any]
        match change:
            case CreateTopic(topic):
                new = NewTopic(
                    topic.name,
                    num_partitions=topic.partitions,
                    replication_factor=topic.replication_factor,
                    config=dict(topic.settings),
                )
                futures = self._admin.create_topics([new], operation_timeout=ANSWER_SECONDS)
            case AddPartitions(topic=name, partitions=count):
                futures = self._admin.create_partitions([NewPartitions(name, count)])
            case ChangeSetting(topic=name, name=key, value=value):
                entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
                futures = self._admin.incremental_alter_configs([resource])
            case AddRule(rule):
                futures = self._admin.create_acls([self._binding(rule)])
        for future in futures.values():
            self._result(future, str(change))

    def _settings(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
        if not resources:
            return {}
        answers = self._admin.describe_configs(resources)
        return {
            resource.name: {
                key: str(entry.value)
                for key, entry in self._result(future, f"read the settings of {resource.name}").items()
                if key in COMPARED_SETTINGS
            }
            for resource, future in answers.items()
        }

    def _rules(self) -> frozenset[AccessRule] | None:
        everything = AclBindingFilter(
            ResourceType.ANY,
            None,  # type: ignore[arg-type]  # any name, as its documentation says
            ResourcePatternType.ANY,
            self._principal,
            None,  # type: ignore[arg-type]  # any host
            AclOperation.ANY,
            AclPermissionType.ALLOW,
        )
        try:
            bindings = self._admin.describe_acls(everything).result(ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.SECURITY_DISABLED:
                return None
            raise self._refused(error, "read the rights") from error
        return frozenset(
            AccessRule(
                binding.restype.name,
                binding.name,
                binding.resource_pattern_type == ResourcePatternType.PREFIXED,
                binding.operation.name,
            )
            for binding in bindings
        )

    def _binding(self, rule: AccessRule) -> AclBinding:
        pattern = ResourcePatternType.PREFIXED if rule.is_prefix else ResourcePatternType.LITERAL
        return AclBinding(
            ResourceType[rule.resource],
            rule.name,
            pattern,
            self._principal,
            EVERYWHERE,
            AclOperation[rule.operation],
            AclPermissionType.ALLOW,
        )

    def _result(self, future: Any, action: str) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = future.result(ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return {}
            raise self._refused(error, action) from error
        return answer

    def _refused(self, error: KafkaException, action: str) -> BrokerError:
        reason = error.args[0]
        if reason.code() == KafkaError.SECURITY_DISABLED:
            return BrokerError(
                f"The broker refused to {action}: it has no authorizer, so everybody may do everything.",
                remedy="Switch one on, or set kafka.access_lists to false in cluster.yaml.",
            )
        return BrokerError(
            f"The broker refused to {action}: {reason.str()}.",
            remedy="Use an account that may administer topics and rights: KAFKA_ADMIN_USERNAME and "
            "KAFKA_ADMIN_PASSWORD name it.",
        )
