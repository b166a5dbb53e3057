"""What was deployed to an environment, kept in its namespace so that CI and every laptop read the same
history.

One ConfigMap a release of Helm; one entry a deployment, keyed by the number of Helm's revision.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from todo_release.errors import JournalError

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster

KEPT = 50
LABELS = {"app.kubernetes.io/managed-by": "todo-release"}
Result = Literal["deploying", "deployed", "verified", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One deployment. `seconds` is how long each part took; `cause` says why it failed, if it did."""

    revision: int
    version: str
    deployment_id: str
    digests: Mapping[str, str]
    by: str
    run_url: str | None
    started_at: datetime
    result: Result
    seconds: Mapping[str, float] = field(default_factory=dict)
    cause: str | None = None

    @property
    def key(self) -> str:
        """Sorts like the revision."""
        return f"{self.revision:06d}"


class Records:
    """The records of one environment."""

    def __init__(self, cluster: "Cluster", namespace: str, release: str) -> None:
        """Nothing is read yet."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = f"{release}-releases"

    def read(self) -> list[Record]:
        """All records that are kept, oldest first.

        Raises:
            JournalError: an entry cannot be read.
        """
        data = self._cluster.get_config_map(self._namespace, self._name) or {}
        return [self._parse(key, data[key]) for key in sorted(data)]

    def write(self, record: Record) -> None:
        """Add a record, or replace the one of the same revision; the oldest beyond KEPT are dropped.

        For the holder of the environment's lock only.
        """
        data = self._cluster.get_config_map(self._namespace, self._name) or {}
        data[record.key] = json.dumps(
            asdict(record) | {"started_at": record.started_at.isoformat()}, sort_keys=True
        )
        kept = {key: data[key] for key in sorted(data)[-KEPT:]}
        self._cluster.put_config_map(self._namespace, self._name, kept, labels=LABELS)

    def finish(
        self, revision: int, result: Result, *, seconds: Mapping[str, float], cause: str | None = None
    ) -> None:
        """Write down how a deployment ended.

        Raises:
            JournalError: its beginning was never recorded.
        """
        found = [record for record in self.read() if record.revision == revision]
        if not found:
            raise JournalError(
                f"{self._name} has no record of revision {revision}.",
                remedy="Deploy the version again; then its record is written.",
            )
        record = found[0]
        self.write(replace(record, result=result, seconds={**record.seconds, **seconds}, cause=cause))

    def _parse(self, key: str, text: str) -> Record:
        try:
            raw: dict[str, Any] = json.loads(text)
            return Record(**raw | {"started_at": datetime.fromisoformat(raw["started_at"])})
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(
                f"Entry {key} of ConfigMap {self._namespace}/{self._name} cannot be read: {error}",
                remedy="Delete that entry; only its history is lost.",
            ) from error


def is_verified(records: Sequence[Record], version: str, digests: Mapping[str, str]) -> bool:
    """Whether a version was ever verified with exactly these digests; a later failure takes it back."""
    same = [
        record for record in records if record.version == version and dict(record.digests) == dict(digests)
    ]
    judged = [record for record in same if record.result in {"verified", "failed"}]
    return bool(judged) and judged[-1].result == "verified"


def is_revision_verified(records: Sequence[Record], revision: int) -> bool:
    """Whether this very deployment was verified, and not only the same version at another time."""
    return any(record.revision == revision and record.result == "verified" for record in records)


def is_unfinished(records: Sequence[Record], revision: int) -> bool:
    """Whether the run that deployed a revision never came to the end of its rollout."""
    return any(record.revision == revision and record.result == "deploying" for record in records)


def last_verified(records: Sequence[Record], before: int) -> Record | None:
    """The newest verified deployment older than a revision; None when there is none."""
    verified = [record for record in records if record.result == "verified" and record.revision < before]
    return verified[-1] if verified else None
