"""Reaches the Kafka broker of an environment: SASL with SCRAM over TLS, as the applications use it."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from todo_cluster.errors import BrokerError

ANSWER_SECONDS = 15
TRY_SECONDS = 2
FINAL_CODES = {KafkaError._AUTHENTICATION, KafkaError._SSL}  # trying again would not help
# Dapr's names of the mechanisms, and the broker's. Dapr takes every other text silently for PLAIN.
MECHANISMS: Mapping[str, str] = {"SHA-256": "SCRAM-SHA-256", "SHA-512": "SCRAM-SHA-512"}


class BrokerDeniedError(BrokerError):
    """The broker does not accept the account, its password or its mechanism."""


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """Addresses and account; `mechanism` is the broker's name of it.

    Without `ca_pem` the system's certificate authorities are trusted.
    """

    servers: str
    username: str
    password: str = field(repr=False)
    mechanism: str = "SCRAM-SHA-256"
    ca_pem: str | None = field(default=None, repr=False)


class Broker:
    """One broker, used with the rights of one account; connects when it is first asked."""

    def __init__(self, access: BrokerAccess) -> None:
        """Prepares the client.

        Raises:
            BrokerError: The certificate authority or another setting cannot be used.
        """
        self._access = access
        self._errors: list[KafkaError] = []
        settings: dict[str, Any] = {
            "bootstrap.servers": access.servers,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": access.mechanism,
            "sasl.username": access.username,
            "sasl.password": access.password,
            "socket.connection.setup.timeout.ms": ANSWER_SECONDS * 1000,
            "error_cb": self._errors.append,
        }
        if access.ca_pem:
            settings["ssl.ca.pem"] = access.ca_pem
        try:
            self.admin = AdminClient(settings, logger=_silent())
        except KafkaException as error:
            raise BrokerError(
                f"The settings for the broker {access.servers} cannot be used: {_text(error)}.",
                remedy="Correct the certificate authority (PEM) and the addresses (HOST:PORT,...).",
            ) from error

    def read_metadata(self) -> ClusterMetadata:
        """Returns the topics that the account may see.

        Raises:
            BrokerDeniedError: The broker refused the account.
            BrokerError: The broker did not answer.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self.admin.list_topics(timeout=TRY_SECONDS)
            except KafkaException as error:
                self.admin.poll(0)  # lets librdkafka report why, which it does beside the request
                codes = {reported.code(): reported for reported in self._errors}
                if codes.keys() & FINAL_CODES or time.monotonic() > deadline:
                    raise self._refusal(error, codes) from error

    def _refusal(self, error: KafkaException, codes: Mapping[int, KafkaError]) -> BrokerError:
        """Returns the real reason, which is not that of the request that failed."""
        refused = codes.get(KafkaError._AUTHENTICATION)
        if refused is not None:
            return BrokerDeniedError(
                f"The broker {self._access.servers} refuses the account {self._access.username!r} with "
                f"{self._access.mechanism}.",
                remedy="Correct name, password and mechanism of the account.",
            )
        reason = codes.get(KafkaError._SSL) or codes.get(KafkaError._RESOLVE)
        return BrokerError(
            f"The broker {self._access.servers} did not answer in {ANSWER_SECONDS} s: "
            f"{reason.str() if reason else _text(error)}.",
            remedy="Correct its addresses and certificate authority, or reach it from another network.",
        )


def _text(error: KafkaException) -> str:
    reason = error.args[0] if error.args else error
    return reason.str() if isinstance(reason, KafkaError) else str(reason)


def _silent() -> logging.Logger:
    """Returns a logger that drops everything: librdkafka would write to stderr what the error says too."""
    logger = logging.getLogger(f"{__name__}.librdkafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
