"""Tests the records of deployments that are kept in the cluster."""

from datetime import UTC, datetime

import pytest

from todo_release.environments.history import (
    MAX_RECORDS,
    DeploymentRecord,
    RecordStore,
    is_verified,
    last_verified,
)
from todo_release.errors import JournalError

from ..doubles.clients import ClusterDouble

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


def test_entry_that_cannot_be_parsed_is_an_error(records: RecordStore, cluster: ClusterDouble) -> None:
    """An entry that somebody edited is an error, because a guess could let unverified digests pass."""
    cluster.config_maps[("staging", "shop-staging-releases")] = {"000001": "{"}
    with pytest.raises(JournalError, match="Entry 000001"):
        records.read()


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
