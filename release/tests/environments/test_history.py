"""Tests the records of deployments that are kept in the cluster."""

from datetime import UTC, datetime
from typing import Any

import pytest

from todo_release.adapters.kubernetes import retry
from todo_release.adapters.kubernetes.client import ApiConflictError, ApiRefusedError, ApiUnavailableError
from todo_release.environments.history import (
    MAX_RECORDS,
    DeploymentRecord,
    RecordStore,
    Repairs,
    is_verified,
    last_verified,
)
from todo_release.errors import JournalError

from ..doubles.clients import ClusterDouble
from ..doubles.scripted import FakeClock

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def record(revision: int, version: str, result: str, digest: str = "sha256:1") -> DeploymentRecord:
    """Returns the record of one deployment."""
    return DeploymentRecord(
        revision=revision,
        version=version,
        deployment_id="id",
        digests={"web": digest},
        by="Rita",
        run_url=None,
        started_at=NOW,
        result=result,  # type: ignore[arg-type]  # from a table
    )


@pytest.fixture
def cluster() -> ClusterDouble:
    """An empty cluster."""
    return ClusterDouble()


@pytest.fixture
def records(cluster: ClusterDouble) -> RecordStore:
    """The record store of one Helm release."""
    return RecordStore(cluster, "staging", "shop-staging")  # type: ignore[arg-type]  # a double


def test_records_are_read_in_the_order_of_revisions(records: RecordStore) -> None:
    """The tenth revision comes after the ninth."""
    for revision in (10, 9, 1):
        records.write(record(revision, "0.1.0", "deployed"))
    assert [stored.revision for stored in records.read()] == [1, 9, 10]
    assert records.read()[0] == record(1, "0.1.0", "deployed")


@pytest.mark.parametrize("has_record", [False, True], ids=["lost", "obsolete"])
def test_record_that_another_engine_wrote_meanwhile_is_not_repaired(
    cluster: ClusterDouble, records: RecordStore, has_record: bool
) -> None:
    """A plan reads before its run has the lock; what it found may have been put right since."""
    if has_record:
        records.write(record(1, "0.0.1", "verified"))
    repairs = Repairs([record(1, "0.1.0", "deployed")], frozenset({1} if has_record else ()))
    planned = RecordStore(cluster, "staging", "shop-staging", repair=lambda known: repairs)  # type: ignore[arg-type]  # a double
    planned.read()
    records.write(record(1, "0.1.0", "verified"))
    planned.write(record(2, "0.2.0", "deploying"))
    assert [stored.result for stored in records.read()] == ["verified", "deploying"]


@pytest.mark.parametrize(("status", "is_read"), [(403, True), (500, False)])
def test_records_count_as_they_are_where_helms_may_not_be_read(
    cluster: ClusterDouble, records: RecordStore, status: int, is_read: bool
) -> None:
    """Production's account reads the records of staging without a right to Helm's; others stay errors."""
    records.write(record(1, "0.1.0", "verified"))
    notes: list[str] = []

    def refuse(known: object) -> tuple[list[DeploymentRecord], list[str]]:
        raise ApiRefusedError("No.", remedy="Ask.", status=status)

    store = RecordStore(
        cluster,  # type: ignore[arg-type]  # a double
        "staging",
        "shop-staging",
        repair=refuse,
        on_note=notes.append,
    )
    if is_read:
        assert store.read() == [record(1, "0.1.0", "verified")]
        assert notes == [
            "Helm's records in staging may not be read, so those of the engine count as they are"
        ]
    else:
        with pytest.raises(ApiRefusedError):
            store.read()


def test_finish_adds_the_result_and_keeps_recorded_seconds(records: RecordStore) -> None:
    """The seconds of deploying stay when those of verifying are added."""
    records.write(record(1, "0.1.0", "deploying"))
    records.finish(1, "deployed", seconds={"deploy": 2.0})
    records.finish(1, "failed", seconds={"verify": 1.0}, cause="It answers 500.")
    (stored,) = records.read()
    assert (stored.result, stored.cause, stored.seconds) == (
        "failed",
        "It answers 500.",
        {"deploy": 2.0, "verify": 1.0},
    )


def test_finish_of_an_unknown_revision_is_an_error(records: RecordStore) -> None:
    """A revision whose start was never recorded cannot be finished."""
    with pytest.raises(JournalError, match="no record of revision 7"):
        records.finish(7, "verified", seconds={})


def test_only_the_newest_records_are_kept(records: RecordStore) -> None:
    """The oldest records are dropped first, because a ConfigMap has a size limit."""
    for revision in range(1, MAX_RECORDS + 3):
        records.write(record(revision, "0.1.0", "deployed"))
    assert [stored.revision for stored in records.read()] == list(range(3, MAX_RECORDS + 3))


NAME = ("staging", "shop-staging-releases")


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", '{"revision": 3}', '{"revision": "3"}', '{"started_at": 5, "revision": 3}']
)
def test_entry_that_cannot_be_parsed_is_skipped_and_set_aside(cluster: ClusterDouble, text: str) -> None:
    """A note names the entry, the others are read, and the next write keeps its text under another key."""
    notes: list[str] = []
    records = RecordStore(cluster, "staging", "shop-staging", on_note=notes.append)  # type: ignore[arg-type]  # a double
    records.write(record(2, "0.1.0", "verified"))
    cluster.config_maps[NAME]["000003"] = text
    for _ in range(2):
        assert [stored.revision for stored in records.read()] == [2]
    assert len(notes) == 1
    assert "entry 000003 of ConfigMap staging/shop-staging-releases cannot be read" in notes[0]
    records.write(record(4, "0.2.0", "deployed"))
    assert sorted(cluster.config_maps[NAME]) == ["000002", "000004", "damaged-000003"]
    assert cluster.config_maps[NAME]["damaged-000003"] == text
    assert [stored.revision for stored in records.read()] == [2, 4]


def test_entry_of_a_newer_engine_is_left_alone(cluster: ClusterDouble) -> None:
    """A newer schema may mean something else: it is neither used nor changed, and a note says so."""
    notes: list[str] = []
    records = RecordStore(cluster, "staging", "shop-staging", on_note=notes.append)  # type: ignore[arg-type]  # a double
    records.write(record(1, "0.1.0", "verified"))
    newer = cluster.config_maps[NAME]["000001"].replace('"schema": 1', '"schema": 2')
    cluster.config_maps[NAME]["000002"] = newer
    assert [stored.revision for stored in records.read()] == [1]
    assert "was written by a newer engine (schema 2)" in notes[0]
    records.write(record(3, "0.2.0", "deployed"))
    assert cluster.config_maps[NAME]["000002"] == newer


def test_fields_of_the_same_schema_that_are_not_known_are_dropped(
    records: RecordStore, cluster: ClusterDouble
) -> None:
    """An engine may add fields without raising the schema; one without the schema field is of the first."""
    records.write(record(1, "0.1.0", "verified"))
    text = cluster.config_maps[NAME]["000001"].replace('"schema": 1', '"colour": "blue"')
    cluster.config_maps[NAME]["000001"] = text
    assert records.read() == [record(1, "0.1.0", "verified")]


def test_write_is_tried_again_while_the_server_is_away(
    records: RecordStore, cluster: ClusterDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record is written when the server answers again, with growing pauses."""
    clock = FakeClock()
    monkeypatch.setattr(retry, "SystemClock", lambda: clock)
    write, refusals = (
        cluster.put_config_map,
        iter([ApiUnavailableError, ApiConflictError, ApiUnavailableError]),
    )

    def put(*arguments: Any, **named: Any) -> None:
        if refusal := next(refusals, None):
            raise refusal("away", remedy="Wait.")
        write(*arguments, **named)

    monkeypatch.setattr(cluster, "put_config_map", put)
    records.write(record(1, "0.1.0", "deployed"))
    assert [stored.revision for stored in records.read()] == [1]
    assert clock.seconds == 0.5 + 1.0


@pytest.mark.parametrize(
    ("results", "verified"),
    [([], False), (["deployed"], False), (["verified"], True), (["verified", "failed"], False),
     (["failed", "verified"], True), (["verified", "deployed"], True)],
)  # fmt: skip
def test_version_is_verified_by_the_last_final_result_of_its_digests(
    results: list[str], verified: bool
) -> None:
    """A later failure makes a version unverified; a later deployment does not."""
    stored = [record(number, "0.1.0", result) for number, result in enumerate(results, start=1)]
    assert is_verified(stored, "0.1.0", {"web": "sha256:1"}) is verified


def test_version_is_not_verified_by_other_digests_or_another_version() -> None:
    """Production gets exactly the digests that staging ran."""
    stored = [record(1, "0.1.0", "verified")]
    assert not is_verified(stored, "0.1.0", {"web": "sha256:2"})
    assert not is_verified(stored, "0.1.1", {"web": "sha256:1"})


def test_last_verified_returns_the_newest_before_a_revision() -> None:
    """A failed or only deployed revision is never the one to roll back to."""
    stored = [
        record(1, "0.1.0", "verified"),
        record(2, "0.2.0", "verified"),
        record(3, "0.3.0", "failed"),
        record(4, "0.4.0", "verified"),
    ]
    assert last_verified(stored, 4) == stored[1]
    assert last_verified(stored, 1) is None
