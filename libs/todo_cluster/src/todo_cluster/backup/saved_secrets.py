"""Exports the Secrets of an environment that nothing else can make again, and imports them.

Helm's records, tokens of service accounts and what cert-manager issues are left out: they are made again.
"""

import json
from collections.abc import Iterable
from typing import Any

from todo_cluster.application import SECRETS_MANAGER
from todo_cluster.config.backup import NamedSecret
from todo_release.adapters.kubernetes.api_resources import SECRETS
from todo_release.adapters.kubernetes.client import Cluster

NOT_SAVED_TYPES = (
    "helm.sh/release.v1",
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
)
ISSUED = "cert-manager.io/certificate-name"
KEPT_METADATA = ("name", "namespace", "annotations", "labels")


def export(cluster: Cluster, namespace: str, others: Iterable[NamedSecret]) -> list[dict[str, Any]]:
    """Returns the Secrets as objects that can be applied; those of `others` that do not exist are left out.

    Raises:
        ClusterError: The API server did not answer or refused.
    """
    found = cluster.items(SECRETS.path(namespace))
    named = (cluster.read(f"{SECRETS.path(secret.namespace)}/{secret.name}") for secret in others)
    return [
        _essence(secret) for secret in [*found, *(secret for secret in named if secret)] if _is_saved(secret)
    ]


def dump(secrets: Iterable[dict[str, Any]]) -> bytes:
    """Returns Secrets as the content of a file."""
    return json.dumps(list(secrets)).encode()


def load(content: bytes) -> list[dict[str, Any]]:
    """Returns the Secrets of a file."""
    secrets: list[dict[str, Any]] = json.loads(content)
    return secrets


def names_of(secrets: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Returns `namespace/name` of each."""
    return tuple(f"{secret['metadata']['namespace']}/{secret['metadata']['name']}" for secret in secrets)


def find_different(cluster: Cluster, secrets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns those that are in the cluster with other values.

    Raises:
        ClusterError: The API server did not answer or refused.
    """
    return [
        secret
        for secret in secrets
        if (live := cluster.live(secret, secret["metadata"]["namespace"]))
        and live.get("data") != secret.get("data")
    ]


def apply(cluster: Cluster, secrets: Iterable[dict[str, Any]]) -> None:
    """Creates the Secrets, or sets their keys.

    Raises:
        ClusterError: The API server did not answer or refused.
    """
    for secret in secrets:
        cluster.apply(secret, secret["metadata"]["namespace"], manager=SECRETS_MANAGER)


def _is_saved(secret: dict[str, Any]) -> bool:
    annotations = secret["metadata"].get("annotations") or {}
    return secret.get("type") not in NOT_SAVED_TYPES and ISSUED not in annotations


def _essence(secret: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in secret["metadata"].items() if key in KEPT_METADATA}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": secret.get("type", "Opaque")}
    return {**body, "data": secret.get("data") or {}}
