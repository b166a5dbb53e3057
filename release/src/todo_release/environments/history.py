"""Records of deployments, kept in the environment's namespace so that CI and every laptop read the same ones.

One ConfigMap per Helm release; one entry per deployment, keyed by the number of Helm's revision.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from todo_release.errors import JournalError

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster

MAX_RECORDS = 50
LABELS = {"app.kubernetes.io/managed-by": "todo-release"}
DeploymentResult = Literal["deploying", "deployed", "verified", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """One deployment as it is stored; the names of the fields are the keys in the ConfigMap.

    `by` is the person or CI that deployed, `seconds` how long each part took, `cause` why it failed, if it
    did.
    """

    revision: int
    version: str
    deployment_id: str
    digests: Mapping[str, str]
    by: str
    run_url: str | None
    started_at: datetime
    result: DeploymentResult
    seconds: Mapping[str, float] = field(default_factory=dict)
    cause: str | None = None

    @property
    def key(self) -> str:
        """The entry's key, which sorts like the revision."""
        return f"{self.revision:06d}"


class RecordStore:
    """Reads and writes the deployment records of one environment."""

    def __init__(self, cluster: "Cluster", namespace: str, release: str) -> None:
        """Reads nothing yet."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = f"{release}-releases"

    def read(self) -> list[DeploymentRecord]:
        """Returns all records that are kept, oldest first.

        Raises:
            JournalError: An entry cannot be parsed.
        """
        data = self._cluster.get_config_map(self._namespace, self._name) or {}
        return [self._parse(key, data[key]) for key in sorted(data)]

    def write(self, record: DeploymentRecord) -> None:
        """Adds a record or replaces the one of the same revision; drops the oldest beyond `MAX_RECORDS`.

        Call only while holding the environment's lock.
        """
        data = self._cluster.get_config_map(self._namespace, self._name) or {}
        data[record.key] = json.dumps(
            asdict(record) | {"started_at": record.started_at.isoformat()}, sort_keys=True
        )
        kept = {key: data[key] for key in sorted(data)[-MAX_RECORDS:]}
        self._cluster.put_config_map(self._namespace, self._name, kept, labels=LABELS)

    def finish(
        self,
        revision: int,
        result: DeploymentResult,
        *,
        seconds: Mapping[str, float],
        cause: str | None = None,
    ) -> None:
        """Records how a deployment ended; `seconds` are added to those already recorded.

        Raises:
            JournalError: The start of the deployment was never recorded.
        """
        record = next((record for record in self.read() if record.revision == revision), None)
        if record is None:
            raise JournalError(
                f"{self._name} has no record of revision {revision}.",
                remedy="Deploy the version again; then its record is written.",
            )
        self.write(replace(record, result=result, seconds={**record.seconds, **seconds}, cause=cause))

    def _parse(self, key: str, text: str) -> DeploymentRecord:
        try:
            raw: dict[str, Any] = json.loads(text)
            return DeploymentRecord(**raw | {"started_at": datetime.fromisoformat(raw["started_at"])})
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(
                f"Entry {key} of ConfigMap {self._namespace}/{self._name} cannot be read: {error}",
                remedy="Delete that entry; only its history is lost.",
            ) from error


def is_verified(records: Sequence[DeploymentRecord], version: str, digests: Mapping[str, str]) -> bool:
    """Returns True when a version was verified with exactly these digests and has not failed since."""
    results = [
        record.result
        for record in records
        if record.version == version and dict(record.digests) == dict(digests)
    ]
    final = [result for result in results if result in {"verified", "failed"}]
    return bool(final) and final[-1] == "verified"


def is_revision_verified(records: Sequence[DeploymentRecord], revision: int) -> bool:
    """Returns True when this deployment itself was verified, not only its version at another time."""
    return any(record.revision == revision and record.result == "verified" for record in records)


def is_unfinished(records: Sequence[DeploymentRecord], revision: int) -> bool:
    """Returns True when the run that deployed a revision ended before its rollout did."""
    return any(record.revision == revision and record.result == "deploying" for record in records)


def last_verified(records: Sequence[DeploymentRecord], before: int) -> DeploymentRecord | None:
    """Returns the newest verified deployment older than a revision; None when there is none."""
    verified = [record for record in records if record.result == "verified" and record.revision < before]
    return verified[-1] if verified else None
