"""Records of deployments, kept in the environment's namespace so that CI and every laptop read the same ones.

One ConfigMap per Helm release; one entry per deployment, keyed by the number of Helm's revision. What is
missing there, because the ConfigMap was deleted, somebody used `helm rollback`, or a run was killed, is
reconstructed from Helm's own storage (`record_repair`). An entry that cannot be read is skipped with a note.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.retry import retried
from todo_release.errors import JournalError

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.client import Cluster

FORBIDDEN = 403
MAX_RECORDS = 50
MAX_DAMAGED = 5
SCHEMA = 1  # raise it when engines before could misread a record
DAMAGED = "damaged-"
LABELS = {"app.kubernetes.io/managed-by": "todo-release"}
WATCH_PENDING = "pending"  # of `watch`: verified, and not watched to the end yet
DeploymentResult = Literal["deploying", "deployed", "verified", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """One deployment as it is stored; the names of the fields are the keys in the ConfigMap.

    `by` is the person or CI that deployed, `seconds` how long each part took, `cause` why it failed, if it
    did. `is_reconstructed` says that Helm's storage is its only source: nobody recorded a verification.
    `watch` is what its watch ended with, `WATCH_PENDING` before that, None where none was asked for.
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
    is_reconstructed: bool = False
    watch: str | None = None

    @property
    def key(self) -> str:
        """The entry's key, which sorts like the revision."""
        return f"{self.revision:06d}"


class Repairs(NamedTuple):
    """Records that are missing or wrong, revisions whose records do not count any more, and notes on both."""

    records: Sequence[DeploymentRecord] = ()
    obsolete: frozenset[int] = frozenset()
    notes: Sequence[str] = ()


class Repair(Protocol):
    """Completes the records from another source (`record_repair.RecordRepair`)."""

    def __call__(self, known: Mapping[int, DeploymentRecord]) -> Repairs:
        """Returns what is missing, wrong or obsolete in `known`."""


class RecordStore:
    """Reads and writes the deployment records of one environment."""

    def __init__(
        self,
        cluster: "Cluster",
        namespace: str,
        release: str,
        *,
        repair: Repair | None = None,
        on_note: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Reads nothing yet; `on_note` gets each sentence about a record that was skipped or repaired."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = f"{release}-releases"
        self._repair = repair
        self._on_note = on_note
        self._told: set[str] = set()
        self._repaired: dict[str, DeploymentRecord] = {}
        self._obsolete: dict[int, DeploymentRecord] = {}
        self._read: dict[str, str] = {}  # what the repairs were made from

    @property
    def name(self) -> str:
        """The name of the ConfigMap, in the namespace of the release."""
        return self._name

    def read(self) -> list[DeploymentRecord]:
        """Returns all records that are kept, oldest first, with those that only Helm remembers.

        Raises:
            ClusterError: The API server was not reachable or refused.
        """
        data = self._cluster.get_config_map(self._namespace, self._name) or {}
        self._read = dict(data)
        known = {record.revision: record for key in data if (record := self._parse(key, data[key]))}
        if self._repair:
            repairs = _repair_unless_forbidden(self._repair, known, self._namespace)
            self._obsolete = {revision: known.pop(revision) for revision in repairs.obsolete}
            known |= {record.revision: record for record in repairs.records}
            self._repaired = {record.key: record for record in repairs.records}
            for note in repairs.notes:
                self._note(note)
        return [known[revision] for revision in sorted(known)]

    def write(self, record: DeploymentRecord) -> None:
        """Adds a record or replaces the one of the same revision; drops the oldest beyond `MAX_RECORDS`.

        What `read` has repaired is written too, unless another engine has written it since. Call only while
        holding the environment's lock.

        Raises:
            LockedError: The lock was lost.
            ClusterError: The API server refused, or was away for longer than `retry.RETRY_SECONDS`.
        """
        retried(lambda: self._write(record))

    def _write(self, record: DeploymentRecord) -> None:
        data = self._cluster.get_config_map(self._namespace, self._name) or {}
        written = {key for key in {*data, *self._read} if data.get(key) != self._read.get(key)}
        for key in [key for key in data if _is_damaged(key, data[key])]:
            data[f"{DAMAGED}{key}"] = data.pop(key)
        for key in {obsolete.key for obsolete in self._obsolete.values()} - written:
            data.pop(key, None)
        missing = {
            key: repaired
            for key, repaired in self._repaired.items()
            if key not in written and not _is_of_newer(data, key)
        }
        for entry in (*missing.values(), record):
            body = asdict(entry) | {"started_at": entry.started_at.isoformat(), "schema": SCHEMA}
            data[entry.key] = json.dumps(body, sort_keys=True)
        damaged = sorted(key for key in data if key.startswith(DAMAGED))[-MAX_DAMAGED:]
        entries = sorted(key for key in data if not key.startswith(DAMAGED))[-MAX_RECORDS:]
        kept = {key: data[key] for key in (*entries, *damaged)}
        self._cluster.put_config_map(self._namespace, self._name, kept, labels=LABELS)
        self._repaired, self._obsolete = {}, {}

    def finish(
        self,
        revision: int,
        result: DeploymentResult,
        *,
        seconds: Mapping[str, float],
        cause: str | None = None,
        watch: str | None = None,
    ) -> None:
        """Records how a deployment ended; `seconds` are added to those already recorded.

        `watch` replaces what is recorded of its watch, unless it is None.

        Raises:
            JournalError: Neither a record nor Helm knows the deployment.
            LockedError: As `write`.
            ClusterError: As `write`.
        """
        record = next((record for record in retried(self.read) if record.revision == revision), None)
        if record is None:
            raise JournalError(
                f"{self._name} has no record of revision {revision}, and Helm does not know it.",
                remedy="Deploy the version again; then its record is written.",
            )
        self.write(
            replace(
                record,
                result=result,
                seconds={**record.seconds, **seconds},
                cause=cause,
                watch=watch or record.watch,
            )
        )

    def _parse(self, key: str, text: str) -> DeploymentRecord | None:
        """Returns an entry; None, with a note, when it is damaged or a newer engine wrote it."""
        if key.startswith(DAMAGED):
            return None
        place = f"entry {key} of ConfigMap {self._namespace}/{self._name}"
        try:
            return parse_record(text)
        except NewerSchemaError as error:
            self._note(f"{place} was written by a newer engine ({error}) and is left alone: update this one")
        except ValueError as error:
            self._note(f"{place} cannot be read and is set aside: {error}")
        return None

    def _note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._on_note(text)


def _repair_unless_forbidden(
    repair: Repair, known: Mapping[int, DeploymentRecord], namespace: str
) -> Repairs:
    """Repairs the records, or leaves them as they are where Helm's may not be read.

    The account that deploys to one environment reads the records of the one before, and nothing else there.
    """
    try:
        return repair(known)
    except ApiRefusedError as refusal:
        if refusal.status != FORBIDDEN:
            raise
        return Repairs(
            notes=[f"Helm's records in {namespace} may not be read, so those of the engine count as they are"]
        )


class NewerSchemaError(ValueError):
    """A newer engine wrote the record."""


def parse_record(text: str) -> DeploymentRecord:
    """Returns the record in an entry; fields that this engine does not know are dropped.

    Raises:
        NewerSchemaError: Its schema is newer than `SCHEMA`.
        ValueError: It is not a record.
    """
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("it is not an object")
    schema = raw.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise NewerSchemaError(f"schema {schema}")
    known: dict[str, Any] = {key: raw[key] for key in _FIELDS if key in raw}
    try:
        started_at = datetime.fromisoformat(known["started_at"])
        record = DeploymentRecord(
            **known | {"started_at": started_at.replace(tzinfo=started_at.tzinfo or UTC)}
        )
    except (TypeError, KeyError) as error:
        raise ValueError(str(error)) from error
    texts = (record.version, record.deployment_id, record.by, *record.digests)
    if not isinstance(record.revision, int) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a field has another type")
    if record.result not in get_args(DeploymentResult):
        raise ValueError(f"{record.result!r} is no result")
    return record


_FIELDS = tuple(record_field.name for record_field in fields(DeploymentRecord))


def _is_damaged(key: str, text: str) -> bool:
    if key.startswith(DAMAGED):
        return False
    try:
        parse_record(text)
    except NewerSchemaError:
        return False
    except ValueError:
        return True
    return False


def _is_of_newer(data: Mapping[str, str], key: str) -> bool:
    """Returns whether a newer engine wrote an entry, which this one must not replace by less."""
    try:
        parse_record(data.get(key, "{}"))
    except NewerSchemaError:
        return True
    except ValueError:
        return False
    return False


def is_verified(records: Sequence[DeploymentRecord], version: str, digests: Mapping[str, str]) -> bool:
    """Returns True when a version was verified with exactly these digests and has not failed since."""
    results = [
        record.result
        for record in records
        if record.version == version and dict(record.digests) == dict(digests)
    ]
    final = [result for result in results if result in {"verified", "failed"}]
    return bool(final) and final[-1] == "verified"


def is_promotable(
    records: Sequence[DeploymentRecord], version: str, digests: Mapping[str, str], *, is_watched: bool
) -> bool:
    """Returns True when a version is verified (`is_verified`), and no watch of it was cut off.

    `is_watched` says whether versions are still watched there; nothing else would end a watch.
    """
    same = [
        record
        for record in records
        if record.result == "verified" and record.version == version and dict(record.digests) == dict(digests)
    ]
    return is_verified(records, version, digests) and not (is_watched and same[-1].watch == WATCH_PENDING)


def is_revision_watched(records: Sequence[DeploymentRecord], revision: int) -> bool:
    """Returns True when this deployment was verified and watched to the end."""
    own = (record for record in records if record.revision == revision and record.result == "verified")
    return any(record.watch not in {None, WATCH_PENDING} for record in own)


def is_revision_verified(records: Sequence[DeploymentRecord], revision: int) -> bool:
    """Returns True when this deployment itself was verified, not only its version at another time."""
    return any(record.revision == revision and record.result == "verified" for record in records)


def is_known_by_helm(record: DeploymentRecord) -> bool:
    """Returns True when this engine deployed it, Helm calls it working, and its own record was lost."""
    return record.is_reconstructed and record.result == "deployed" and bool(record.deployment_id)


def is_unfinished(records: Sequence[DeploymentRecord], revision: int) -> bool:
    """Returns True when the run that deployed a revision ended before its rollout did."""
    return any(record.revision == revision and record.result == "deploying" for record in records)


def last_verified(records: Sequence[DeploymentRecord], before: int) -> DeploymentRecord | None:
    """Returns the newest verified deployment older than a revision; None when there is none."""
    verified = [record for record in records if record.result == "verified" and record.revision < before]
    return verified[-1] if verified else None
