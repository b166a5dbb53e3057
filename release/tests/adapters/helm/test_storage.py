"""Helm's own records: revisions are read, and unlocked without deleting anything."""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from todo_release.adapters.helm.storage import ReleaseRecords, find_deployed, last_good
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.errors import HelmError

from ...doubles.kubernetes_api import ApiDouble

SECRETS = "api/v1/namespaces/staging/secrets"


def store(api: ApiDouble, number: int, status: str, *, name: str = "shop") -> None:
    """Writes a revision as Helm 3 and 4 do: base64 of base64 of gzip of JSON, in a labelled Secret."""
    body = {
        "name": name,
        "version": number,
        "manifest": f"# manifest {number}",
        "config": {"replicas": number},
        "chart": {"metadata": {"name": "shop", "version": f"0.{number}.0", "appVersion": f"1.{number}.0"}},
        "info": {
            "status": status,
            "description": "done",
            "last_deployed": "2026-11-24T05:00:00.123456789Z" if number % 2 else "2026-11-24T05:00:00Z",
        },
    }
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
    secret = f"sh.helm.release.v1.{name}.v{number}"
    labels = {"owner": "helm", "name": name, "version": str(number), "status": status}
    api.put(
        f"{SECRETS}/{secret}", {"metadata": {"name": secret, "labels": labels}, "data": {"release": packed}}
    )


def labels_of(api: ApiDouble, number: int) -> Any:
    """Returns the labels of a revision's Secret."""
    return api.objects[f"{SECRETS}/sh.helm.release.v1.shop.v{number}"]["metadata"]["labels"]


def test_history_is_oldest_first_by_number(cluster: Cluster, api: ApiDouble) -> None:
    """The API server sorts by name, where v10 comes before v9; other releases are left out."""
    for number in (10, 9):
        store(api, number, "superseded")
    store(api, 11, "deployed", name="other")
    history = ReleaseRecords(cluster, "staging").history("shop")
    assert [revision.number for revision in history] == [9, 10]
    assert (history[0].app_version, history[0].chart_version, history[0].description) == (
        "1.9.0",
        "0.9.0",
        "done",
    )
    assert history[0].updated_at == datetime(2026, 11, 24, 5, 0, 0, 123456, tzinfo=UTC)


def test_release_that_does_not_exist_has_no_history(cluster: Cluster) -> None:
    """Before the first deployment there is no record, which is not an error."""
    records = ReleaseRecords(cluster, "staging")
    assert records.history("shop") == []
    assert records.unlock("shop") is None
    with pytest.raises(HelmError, match=r"'shop' has no revision; Helm keeps: none"):
        records.manifest("shop")


def test_manifest_and_values_are_those_of_the_revision(cluster: Cluster, api: ApiDouble) -> None:
    """The last revision is the default; one that Helm no longer keeps is refused."""
    store(api, 1, "superseded")
    store(api, 2, "deployed")
    records = ReleaseRecords(cluster, "staging")
    assert (records.manifest("shop"), records.manifest("shop", 1)) == ("# manifest 2", "# manifest 1")
    assert records.values("shop", 1) == {"replicas": 1}
    with pytest.raises(HelmError, match=r"has no revision 7; Helm keeps: 1, 2"):
        records.values("shop", 7)


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_unlock_marks_a_pending_revision_as_failed(cluster: Cluster, api: ApiDouble, status: str) -> None:
    """Label and body both change, because Helm reads both; the result is the revision before the change."""
    store(api, 1, "deployed")
    store(api, 2, status)
    records = ReleaseRecords(cluster, "staging")
    unlocked = records.unlock("shop")
    assert unlocked is not None
    assert (unlocked.number, unlocked.status) == (2, status)
    assert labels_of(api, 2)["status"] == "failed"
    last = records.history("shop")[-1]
    assert (last.number, last.status) == (2, "failed")
    assert last.description == f"interrupted while {status}; unlocked"
    assert records.manifest("shop") == "# manifest 2"
    assert records.unlock("shop") is None


def test_unlock_leaves_a_finished_revision_alone(cluster: Cluster, api: ApiDouble) -> None:
    """A deployed or failed revision is not pending, so nothing is changed."""
    for number, status in ((1, "deployed"), (2, "failed")):
        store(api, number, status)
        assert ReleaseRecords(cluster, "staging").unlock("shop") is None


def test_mark_failed_excludes_a_revision_from_rollbacks(cluster: Cluster, api: ApiDouble) -> None:
    """A revision that never became ready would count as superseded, like one that worked."""
    store(api, 1, "superseded")
    store(api, 2, "deployed")
    records = ReleaseRecords(cluster, "staging")
    records.mark_failed("shop", 2, "image-missing")
    history = records.history("shop")
    assert (history[1].status, history[1].description) == ("failed", "image-missing")
    good = last_good(history)
    assert good is not None
    assert good.number == 1
    assert last_good(history, before=1) is None


def test_newest_reads_one_record_and_lists_metadata_only(cluster: Cluster, api: ApiDouble) -> None:
    """Helm keeps up to twenty records of up to a mebibyte; what was read is not read again."""
    for number, status in ((9, "superseded"), (10, "superseded"), (11, "deployed")):
        store(api, number, status)
    records = ReleaseRecords(cluster, "staging")
    newest = records.newest("shop")
    assert newest is not None
    assert (newest.number, newest.status) == (11, "deployed")
    assert records.manifest("shop", 11) == records.manifest("shop") == "# manifest 11"
    assert records.newest("shop") == newest
    record = f"{SECRETS}/sh.helm.release.v1.shop.v11"
    assert [path for path in api.requests if path != SECRETS] == [record]
    assert "PartialObjectMetadataList" in api.accepted[SECRETS]


def test_newest_is_read_again_when_it_changed(cluster: Cluster, api: ApiDouble) -> None:
    """Another process may mark a revision as failed, or install the release anew under the same number."""
    store(api, 1, "deployed")
    records = ReleaseRecords(cluster, "staging")
    assert records.newest("shop") == records.revision("shop", 1)
    store(api, 1, "failed")
    newest = records.newest("shop")
    assert newest is not None
    assert newest.status == "failed"


def test_revision_that_helm_no_longer_keeps_is_none(cluster: Cluster) -> None:
    """A rollback may name a revision that was pruned since."""
    records = ReleaseRecords(cluster, "staging")
    assert (records.newest("shop"), records.revision("shop", 3)) == (None, None)


def test_record_of_another_format_is_refused(cluster: Cluster, api: ApiDouble) -> None:
    """The error names the Secret."""
    store(api, 1, "deployed")
    api.objects[f"{SECRETS}/sh.helm.release.v1.shop.v1"]["data"]["release"] = "bm8="
    with pytest.raises(HelmError, match=r"sh\.helm\.release\.v1\.shop\.v1"):
        ReleaseRecords(cluster, "staging").history("shop")


def test_find_deployed_returns_the_newest_revision_if_deployed(cluster: Cluster, api: ApiDouble) -> None:
    """Other Secrets are ignored; with a pending revision it is unknown what runs."""
    store(api, 9, "superseded")
    store(api, 10, "deployed")
    store(api, 11, "deployed", name="other")
    api.put(f"{SECRETS}/app", {"metadata": {"name": "app"}})
    deployed = find_deployed(cluster.items(SECRETS), "shop")
    assert deployed is not None
    revision, manifest = deployed
    assert (revision.number, revision.app_version, manifest) == (10, "1.10.0", "# manifest 10")
    store(api, 12, "pending-upgrade")
    assert find_deployed(cluster.items(SECRETS), "shop") is None
    assert find_deployed([], "shop") is None
