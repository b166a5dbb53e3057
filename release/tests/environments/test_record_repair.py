"""Records that are missing or wrong are reconstructed from Helm's own storage."""

from dataclasses import replace
from datetime import timedelta

import pytest

from todo_release.adapters.helm.storage import Revision
from todo_release.environments.history import DeploymentRecord, Repairs, is_verified
from todo_release.environments.record_repair import RecordRepair

from ..doubles.clients import NOW, HelmDouble

DIGEST = "sha256:" + "a" * 64
ID, OTHER_ID = "0123456789abcdef", "fedcba9876543210"
NOTHING = Repairs([], frozenset(), [])


def revision(number: int, description: str, status: str = "superseded", version: str = "0.1.0") -> Revision:
    """Returns a revision as Helm keeps it."""
    return Revision(
        number=number,
        status=status,
        chart="shop",
        chart_version=version,
        app_version=version,
        updated_at=NOW,
        description=description,
    )


def record(number: int, version: str, result: str) -> DeploymentRecord:
    """Returns a record that a run wrote."""
    return DeploymentRecord(
        revision=number,
        version=version,
        deployment_id=ID,
        digests={"web": DIGEST},
        by="Rita",
        run_url=None,
        started_at=NOW,
        result=result,  # type: ignore[arg-type]  # from a table
    )


def repair(*revisions: Revision) -> RecordRepair:
    """Returns the repair of a release with these revisions."""
    helm = HelmDouble(list(revisions), objects=f"image: ghcr.io/ana/web:v1@{DIGEST}\n")
    return RecordRepair(helm, "shop", {"web": "ghcr.io/ana/web", "api": "ghcr.io/ana/api"})


def test_complete_records_are_left_alone() -> None:
    """Nothing is read beyond the list when every revision has its record."""
    known = {1: record(1, "0.1.0", "verified"), 2: record(2, "0.2.0", "deployed")}
    assert repair(revision(1, f"0.1.0 {ID}"), revision(2, f"0.2.0 {ID}", "deployed"))(known) == NOTHING


def test_deleted_records_come_back_with_version_id_and_digests() -> None:
    """Nobody knows whether they were verified, so they are only deployed."""
    records, _, notes = repair(revision(1, f"0.1.0 {ID}"), revision(2, f"0.2.0 {ID}", "deployed"))({})
    assert [(found.version, found.deployment_id, found.result) for found in records] == [
        ("0.1.0", ID, "deployed"),
        ("0.2.0", ID, "deployed"),
    ]
    assert records[0].digests == {"web": DIGEST}
    assert all(found.is_reconstructed for found in records)
    assert not is_verified(records, "0.1.0", {"web": DIGEST})
    (note,) = notes
    assert note.startswith("revisions 1, 2 of shop: without a record, reconstructed from Helm's storage")
    assert note.endswith("the last one is 0.2.0, deployed by a run whose record is lost")


def test_rollback_by_hand_gets_the_record_of_what_it_restored() -> None:
    """`helm rollback` makes a new revision, also of a revision that a rollback made."""
    known = {1: record(1, "0.1.0", "verified"), 2: record(2, "0.2.0", "verified")}
    records, _, notes = repair(
        revision(1, f"0.1.0 {ID}"),
        revision(2, f"0.2.0 {ID}"),
        revision(3, "Rollback to 1"),
        revision(4, "Rollback to 3", "deployed"),
    )(known)
    assert [(found.revision, found.version, found.digests, found.result) for found in records] == [
        (3, "0.1.0", {"web": DIGEST}, "deployed"),
        (4, "0.1.0", {"web": DIGEST}, "deployed"),
    ]
    assert notes[0].endswith("the last one is 0.1.0, rollback to revision 3")


@pytest.mark.parametrize("version", ["1.16", "2024-10", ""])
def test_release_of_another_tool_is_taken_over(version: str) -> None:
    """What another tool called its version need not be a semantic version, or be there at all."""
    records, _, notes = repair(revision(1, "Install complete", "deployed", version))({})
    assert [(found.version, found.deployment_id, found.result) for found in records] == [
        (version, "", "deployed")
    ]
    (note,) = notes
    named = version or "no version"
    assert note == f"revision 1 of shop: deployed by another tool, the last one as {named}; taken over"


def test_revision_that_helm_calls_failed_is_failed() -> None:
    """A run that was killed between marking the revision and recording the failure left `deploying`."""
    records, _, notes = repair(revision(1, "it crashed", "failed"))({1: record(1, "0.2.0", "deploying")})
    assert [(found.version, found.result) for found in records] == [("0.2.0", "failed")]
    assert notes == [
        "revision 1 of shop: 0.2.0, failed by Helm's storage; it was recorded as 0.2.0, deploying"
    ]


def test_number_that_another_deployment_took_is_recorded_as_that() -> None:
    """A run that died before Helm started left a record; then somebody rolled back by hand."""
    known = {1: record(1, "0.1.0", "verified"), 2: record(2, "0.2.0", "deploying")}
    records, _, _ = repair(revision(1, f"0.1.0 {ID}"), revision(2, "Rollback to 1", "deployed"))(known)
    assert [(found.revision, found.version, found.result) for found in records] == [(2, "0.1.0", "deployed")]


def test_rollout_that_is_still_watched_is_left_alone() -> None:
    """The record says deploying, and Helm has applied exactly that; a pending revision has no record yet."""
    known = {1: record(1, "0.2.0", "deploying")}
    revisions = (revision(1, f"0.2.0 {ID}", "deployed"), revision(2, "", "pending-upgrade"))
    assert repair(*revisions)(known) == NOTHING


def test_records_of_an_uninstalled_release_do_not_count() -> None:
    """`helm uninstall` deletes Helm's revisions; the next one begins at 1 and gets its own records."""
    known = {
        1: record(1, "0.1.0", "verified"),
        2: record(2, "0.2.0", "verified"),
        3: record(3, "0.3.0", "failed"),
    }
    records, obsolete, notes = repair()(known)
    assert (records, obsolete) == ([], {1, 2, 3})
    (note,) = notes
    assert note.startswith(
        "revisions 1, 2, 3 of shop: recorded, but Helm has another deployment of that number"
    )


def test_new_installation_replaces_the_records_of_the_one_before() -> None:
    """Another tool installed again: its revision 1 is not what was verified as revision 1 before."""
    known = {1: record(1, "0.1.0", "verified"), 2: record(2, "0.2.0", "verified")}
    records, obsolete, _ = repair(revision(1, "Install complete", "deployed", "0.9.0"))(known)
    assert obsolete == {1, 2}
    assert [(found.revision, found.version, found.result) for found in records] == [(1, "0.9.0", "deployed")]


@pytest.mark.parametrize("status", ["pending-install", "failed"])
def test_record_says_nothing_of_a_later_revision_with_its_number(status: str) -> None:
    """A first install that failed after an uninstall is not what was verified as revision 1 before."""
    known = {1: record(1, "0.1.0", "verified"), 2: record(2, "0.2.0", "verified")}
    later = replace(revision(1, "Initial install underway", status), updated_at=NOW + timedelta(minutes=1))
    records, obsolete, _ = repair(later)(known)
    assert obsolete == {1, 2}
    assert [found.result for found in records] == (["failed"] if status == "failed" else [])


def test_every_record_is_compared_when_the_newest_is_another_deployment() -> None:
    """Only those that differ are dropped: here somebody deleted Helm's last revisions by hand."""
    known = {1: record(1, "0.1.0", "verified"), 2: record(2, "0.2.0", "verified")}
    records, obsolete, _ = repair(
        revision(1, f"0.1.0 {ID}"), revision(2, f"0.2.1 {OTHER_ID}", "deployed", "0.2.1")
    )(known)
    assert obsolete == {2}
    assert [(found.version, found.deployment_id) for found in records] == [("0.2.1", OTHER_ID)]


def test_deployment_that_is_about_to_begin_is_left_alone() -> None:
    """It is recorded before Helm has its revision; so is a version that Helm refused."""
    known = {
        1: record(1, "0.1.0", "verified"),
        2: record(2, "0.2.0", "failed"),
        3: record(3, "0.3.0", "deploying"),
    }
    assert repair(revision(1, f"0.1.0 {ID}", "deployed"))(known) == NOTHING


def test_rollback_to_a_revision_that_is_gone_is_named_by_its_chart() -> None:
    """Helm keeps a limited number of revisions."""
    records, _, _ = repair(replace(revision(30, "Rollback to 2", "deployed"), app_version="0.7.0"))({})
    assert [(found.version, found.deployment_id) for found in records] == [("0.7.0", "")]
