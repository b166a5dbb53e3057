"""Reads and writes the Secrets of an environment, and remembers when each key was set.

Writing is a server-side apply with a field manager of its own, so that keys which others keep in the same
Secret stay. The time of each key is in an annotation, because the API server keeps only one for each manager.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from todo_cluster.application import SECRETS_MANAGER, ApplicationEnvironment, decoded
from todo_cluster.errors import SecretsError
from todo_cluster.secrets.wanted import WantedSecret
from todo_release.adapters.kubernetes.objects import JsonObject

SET_AT = "secrets.release-engine.dev/set-at"


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A Secret as it is in the cluster; `set_at` has the time of each key, as far as it is known."""

    type: str
    values: Mapping[str, str] = field(repr=False)
    set_at: Mapping[str, datetime]
    created_at: datetime


def read(environment: ApplicationEnvironment, name: str) -> StoredSecret | None:
    """Returns a Secret; None when there is none.

    Raises:
        ClusterError: The API server did not answer or refused.
    """
    secret = environment.read_secret(name)
    if secret is None:
        return None
    metadata = secret["metadata"]
    times = json.loads((metadata.get("annotations") or {}).get(SET_AT) or "{}")
    return StoredSecret(
        type=secret.get("type") or "Opaque",
        values=decoded(secret),
        set_at={key: datetime.fromisoformat(text) for key, text in times.items()},
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
    )


def write(
    environment: ApplicationEnvironment,
    wanted: WantedSecret,
    values: Mapping[str, str],
    changed: Iterable[str],
    *,
    now: datetime | None = None,
) -> None:
    """Creates a Secret or sets its keys; `changed` are those whose time is now.

    Raises:
        SecretsError: There is a Secret of that name and another type, which cannot be changed.
        ClusterError: The API server did not answer or refused.
    """
    stored = read(environment, wanted.name)
    if stored is not None and stored.type != wanted.type:
        raise SecretsError(
            f"Secret {wanted.name} in {environment.namespace} has the type {stored.type}, not {wanted.type}, "
            "and the API server never changes a type.",
            remedy=f"Delete it (`kubectl -n {environment.namespace} delete secret {wanted.name}`), then run "
            "the command again with all of its values.",
        )
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    earlier = {key: time.isoformat() for key, time in (stored.set_at if stored else {}).items()}
    times = {key: time for key, time in {**earlier, **dict.fromkeys(changed, at)}.items() if key in values}
    body: JsonObject = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": wanted.name, "annotations": {SET_AT: json.dumps(times, sort_keys=True)}},
        "type": wanted.type,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
    environment.cluster.apply(body, environment.namespace, manager=SECRETS_MANAGER)
