"""A Kafka broker that keeps rights: SCRAM over TLS, an administrator, an account without any right.

The cluster's broker has no authorizer, as a broker in production must have.
"""

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

START_SECONDS = 90
ADMIN, ACCOUNT = "admin", "todo-staging"
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-256
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required username="{admin}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
ssl.endpoint.identification.algorithm=
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin};User:ANONYMOUS
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


@dataclass(frozen=True)
class KafkaBroker:
    """A running broker; `account_password` is of an account that may do nothing at first."""

    address: str
    ca_pem: str = field(repr=False)
    admin_password: str = field(repr=False)
    account_password: str = field(repr=False)

    def settings(self, name: str, password: str) -> dict[str, str]:
        """Returns the settings of a client."""
        return {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": name,
            "sasl.password": password,
            "ssl.ca.pem": self.ca_pem,
        }


@contextlib.contextmanager
def kafka_broker(libraries: Path, folder: Path) -> Iterator[KafkaBroker]:
    """Runs a broker with the libraries of Apache Kafka in a folder."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    # Kafka reads a private key only in PKCS #8, which trustme does not write.
    loaded = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    key = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(key + b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    port, controller = _free_port(), _free_port()
    admin_password, account_password = secrets.token_hex(16), secrets.token_hex(16)
    config = folder / "server.properties"
    config.write_text(
        PROPERTIES.format(
            port=port, controller=controller, folder=folder, admin=ADMIN, password=admin_password
        )
    )
    accounts = ((ADMIN, admin_password), (ACCOUNT, account_password))
    scram = [
        part
        for name, password in accounts
        for part in ("--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]")
    ]
    java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*"]
    format_ = ["format", "--config", str(config), "--cluster-id", "dG9waWNzLXRlc3QtYnJva2", *scram]
    subprocess.run([*java, "kafka.tools.StorageTool", *format_], check=True, capture_output=True)
    log = folder / "broker.log"
    with log.open("wb") as output:
        process = subprocess.Popen([*java, "kafka.Kafka", str(config)], stdout=output, stderr=output)
        try:
            _wait_for(port, process, log)
            yield KafkaBroker(
                f"127.0.0.1:{port}", authority.cert_pem.bytes().decode(), admin_password, account_password
            )
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise AssertionError(f"the broker did not start: {log.read_text(errors='replace')[-2000:]}")
