"""`inv kafka.topics` against real brokers: the cluster's, and one of its own that keeps rights."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kubernetes import client, config

from .kafka_broker import ACCOUNT, ADMIN, KafkaBroker, kafka_broker
from .running_cluster import RunningCluster

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "kafka-topics"
SECONDS = 20
TOPICS = {f"staging-{name}" for name in ("task-events", "notifications", "dead-letters")}
Topics = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def broker(cluster: RunningCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that keeps rights."""
    with kafka_broker(cluster.kafka_libraries, tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module")
def secret(core: client.CoreV1Api) -> Iterator[Callable[[dict[str, str]], None]]:
    """Returns a function that writes `app-secrets` of a namespace of its own, which is deleted afterwards."""
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))

    def write(values: dict[str, str]) -> None:
        body = client.V1Secret(metadata=client.V1ObjectMeta(name="app-secrets"), string_data=values)
        core.create_namespaced_secret(NAMESPACE, body)

    yield write
    core.delete_namespace(NAMESPACE)


@pytest.fixture(scope="module")
def topics(
    cluster: RunningCluster,
    broker: KafkaBroker,
    secret: Callable[[dict[str, str]], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Topics:
    """Returns a function that runs the command for staging with changes of cluster.yaml."""
    secret(
        {
            "REDPANDA_BROKERS": broker.address,
            "REDPANDA_USERNAME": ACCOUNT,
            "REDPANDA_PASSWORD": broker.account_password,
            "REDPANDA_SASL_MECHANISM": "SHA-256",
            "REDPANDA_CA_CERT": broker.ca_pem,
        }
    )
    folder = tmp_path_factory.mktemp("configuration")
    _, current = config.list_kube_config_contexts(str(cluster.kubeconfig))
    staging = {
        "context": current["name"],
        "namespace": NAMESPACE,
        "set": {"pubsub.kafka.caCertFromSecret": True, "ingress.host": "topics.test"},
    }
    (folder / "release.yaml").write_text(yaml.safe_dump({"environments": {"staging": staging}}))
    admin = {"KAFKA_ADMIN_USERNAME": ADMIN, "KAFKA_ADMIN_PASSWORD": broker.admin_password}

    def run(*arguments: str, as_admin: bool = True, **kafka: Any) -> tuple[int, str]:
        (folder / "cluster.yaml").write_text(yaml.safe_dump({"kafka": {"replication_factor": 1, **kafka}}))
        command = [sys.executable, "-m", "invoke", "kafka.topics", "--env=staging", "--yes", *arguments]
        command += [f"--config={folder}/release.yaml", f"--cluster-config={folder}/cluster.yaml"]
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), **(admin if as_admin else {})}
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        return ended.returncode, ended.stdout + ended.stderr

    return run


@pytest.fixture
def admin(broker: KafkaBroker) -> AdminClient:
    """A client that may do everything."""
    return AdminClient(broker.settings(ADMIN, broker.admin_password))


def partitions(admin: AdminClient) -> dict[str, int]:
    """Returns how many partitions each topic has."""
    there = admin.list_topics(timeout=SECONDS).topics
    return {name: len(topic.partitions) for name, topic in there.items() if not name.startswith("__")}


def can_produce(broker: KafkaBroker, topic: str) -> bool:
    """Checks whether the environment's account may write an event to a topic."""
    producer = Producer({**broker.settings(ACCOUNT, broker.account_password), "message.timeout.ms": 5000})
    delivered: list[bool] = []
    producer.produce(topic, b"event", on_delivery=lambda error, _: delivered.append(error is None))
    producer.flush(SECONDS)
    return delivered == [True]


def can_consume(broker: KafkaBroker, topic: str, group: str) -> bool:
    """Checks whether the environment's account may read an event as a member of a consumer group."""
    consumer = Consumer(
        {
            **broker.settings(ACCOUNT, broker.account_password),
            "group.id": group,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    try:
        message = consumer.poll(SECONDS)
        return message is not None and message.error() is None
    except KafkaException:
        return False
    finally:
        consumer.close()


def test_topics_and_rights_are_created_once(topics: Topics, admin: AdminClient, broker: KafkaBroker) -> None:
    """The plan changes nothing, the first run everything, the second nothing."""
    code, output = topics("--plan")
    assert (code, partitions(admin)) == (0, {}), output
    assert output.count("create topic") == 3
    code, output = topics()
    assert code == 0, output
    assert set(partitions(admin)) == TOPICS
    code, output = topics()
    assert code == 0, output
    assert "change" not in output
    assert "(nothing)" in output


def test_account_may_use_its_own_topics_and_groups_only(
    topics: Topics, admin: AdminClient, broker: KafkaBroker
) -> None:
    """It writes and reads as its sidecars do, and neither as another environment's."""
    code, output = topics()
    assert code == 0, output
    for future in admin.create_topics([NewTopic("task-events", 1, 1)]).values():
        future.result(SECONDS)
    assert can_produce(broker, "staging-task-events")
    assert can_consume(broker, "staging-task-events", f"{NAMESPACE}-notification")
    assert not can_produce(broker, "task-events")
    assert not can_consume(broker, "staging-task-events", "production-notification")


def test_more_partitions_and_another_retention_are_set(topics: Topics, admin: AdminClient) -> None:
    """Only what differs is changed."""
    assert topics()[0] == 0
    code, output = topics(topics={"dead-letters": {"partitions": 2, "retention_hours": 24}})
    assert code == 0, output
    assert output.count("done:") == 2
    assert partitions(admin)["staging-dead-letters"] == 2


def test_fewer_partitions_are_refused_with_the_reason(topics: Topics, admin: AdminClient) -> None:
    """Nothing is changed then, not even what could be."""
    assert topics()[0] in (0, 45)
    before = partitions(admin)
    code, output = topics(topics={"task-events": {"partitions": 1, "retention_hours": 1}})
    assert code == 45, output
    assert "never removes one" in output
    assert partitions(admin) == before


def test_account_without_rights_to_administer_is_refused(topics: Topics) -> None:
    """The message names the variables of an account that may."""
    code, output = topics(as_admin=False, topics={"further": {"partitions": 1, "retention_hours": 1}})
    assert code == 45, output
    assert "KAFKA_ADMIN_USERNAME" in output


def test_broker_without_authorizer_is_refused(
    cluster: RunningCluster, core: client.CoreV1Api, topics: Topics
) -> None:
    """The cluster's own broker lets everybody do everything; without access lists its topics are checked."""
    values = {
        "REDPANDA_BROKERS": cluster.env["KAFKA_BROKERS"],
        "REDPANDA_USERNAME": cluster.env["KAFKA_USER"],
        "REDPANDA_PASSWORD": cluster.env["KAFKA_PASSWORD"],
        "REDPANDA_CA_CERT": Path(cluster.env["KAFKA_CA_FILE"]).read_text(encoding="utf-8"),
    }
    core.patch_namespaced_secret("app-secrets", NAMESPACE, {"stringData": values})
    code, output = topics(as_admin=False)
    assert code == 45, output
    assert "no authorizer" in output
    code, output = topics("--plan", as_admin=False, access_lists=False)
    assert code in (0, 45), output
    assert "authorizer" not in output
