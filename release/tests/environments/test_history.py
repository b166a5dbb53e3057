"""What was deployed, kept in the cluster."""

from datetime import UTC, datetime

import pytest

from todo_release.environments.history import KEPT, Record, Records, is_verified, last_verified
from todo_release.errors import JournalError

from ..doubles.world import ClusterDouble

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def record(revision: int, version: str, result: str, digest: str = "sha256:1") -> Record:
    """One deployment."""
    return Record(
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
def records(cluster: ClusterDouble) -> Records:
    """Those of one release of Helm."""
    return Records(cluster, "staging", "shop-staging")  # type: ignore[arg-type]  # a double


def test_records_come_back_in_the_order_of_revisions(records: Records) -> None:
    """The tenth comes after the ninth."""
    for revision in (10, 9, 1):
        records.write(record(revision, "0.1.0", "deployed"))
    assert [one.revision for one in records.read()] == [1, 9, 10]
    assert records.read()[0] == record(1, "0.1.0", "deployed")


def test_finish_keeps_what_is_known_and_adds_the_end(records: Records) -> None:
    """Seconds of deploying and of verifying stand beside each other."""
    records.write(record(1, "0.1.0", "deploying"))
    records.finish(1, "deployed", seconds={"deploy": 2.0})
    records.finish(1, "failed", seconds={"verify": 1.0}, cause="It answers 500.")
    (one,) = records.read()
    assert (one.result, one.cause, one.seconds) == (
        "failed",
        "It answers 500.",
        {"deploy": 2.0, "verify": 1.0},
    )


def test_finish_of_what_never_began_is_an_error(records: Records) -> None:
    """A verdict on nothing would vouch for nothing."""
    with pytest.raises(JournalError, match="no record of revision 7"):
        records.finish(7, "verified", seconds={})


def test_only_the_newest_are_kept(records: Records) -> None:
    """A ConfigMap has a size; the oldest go first."""
    for revision in range(1, KEPT + 3):
        records.write(record(revision, "0.1.0", "deployed"))
    assert [one.revision for one in records.read()] == list(range(3, KEPT + 3))


def test_entry_that_cannot_be_read_is_an_error(records: Records, cluster: ClusterDouble) -> None:
    """Somebody edited it; guessing would let unverified digests through."""
    cluster.config_maps[("staging", "shop-staging-releases")] = {"000001": "{"}
    with pytest.raises(JournalError, match="Entry 000001"):
        records.read()


@pytest.mark.parametrize(
    ("results", "verified"),
    [([], False), (["deployed"], False), (["verified"], True), (["verified", "failed"], False),
     (["failed", "verified"], True), (["verified", "deployed"], True)],
)  # fmt: skip
def test_last_verdict_on_the_same_digests_counts(results: list[str], verified: bool) -> None:
    """A later failure takes a verdict back; a rollback to it does not."""
    found = [record(number, "0.1.0", result) for number, result in enumerate(results, start=1)]
    assert is_verified(found, "0.1.0", {"web": "sha256:1"}) is verified


def test_verdict_on_other_digests_or_another_version_does_not_count() -> None:
    """What production gets is exactly what staging ran."""
    found = [record(1, "0.1.0", "verified")]
    assert not is_verified(found, "0.1.0", {"web": "sha256:2"})
    assert not is_verified(found, "0.1.1", {"web": "sha256:1"})


def test_last_verified_is_the_newest_before_a_revision() -> None:
    """Failed and merely deployed ones are no place to go back to."""
    found = [
        record(1, "0.1.0", "verified"),
        record(2, "0.2.0", "verified"),
        record(3, "0.3.0", "failed"),
        record(4, "0.4.0", "verified"),
    ]
    assert last_verified(found, 4) == found[1]
    assert last_verified(found, 1) is None
