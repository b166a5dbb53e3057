"""Which claims never get a volume: by StorageClass, by volumes made by hand, and by what is bound already."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import STORAGE_CLASSES, VOLUME_CLAIMS, VOLUMES
from todo_release.preflight.checks.references import CHECK

from ..snapshots import error_causes, findings_of, make_manifest, make_snapshot, summaries_of, workload

FAST = {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}


def claim(name: str | None, **spec: Any) -> dict[str, Any]:
    """Returns a claim with a storage class."""
    body = spec if name is None else {"storageClassName": name, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": body}


def volume(name: str, storage_class: str | None, phase: str = "Available") -> dict[str, Any]:
    """Returns a volume that somebody has made."""
    spec = {} if storage_class is None else {"storageClassName": storage_class}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": spec,
        "status": {"phase": phase},
    }


def test_claim_of_a_missing_storage_class_is_an_error() -> None:
    """No name means the default class; an empty name means a volume made by hand."""
    assert error_causes(CHECK, make_snapshot(claim("slow"), lists={STORAGE_CLASSES: [FAST]})) == [
        "There is no StorageClass slow, and no free volume names it, so the claim is never bound."
    ]
    assert error_causes(CHECK, make_snapshot(claim(None))) == [
        "No StorageClass is the default, and no free volume names none, so the claim is never bound."
    ]
    for name in ("fast", None, ""):
        assert summaries_of(CHECK, make_snapshot(claim(name), lists={STORAGE_CLASSES: [FAST]})) == []
    state = workload(kind="StatefulSet", spec={"volumeClaimTemplates": [{"spec": claim("slow")["spec"]}]})
    assert len(error_causes(CHECK, make_snapshot(state))) == 1


@pytest.mark.parametrize(
    ("wanted", "made", "is_error"),
    [
        (claim("manual"), volume("disk", "manual"), False),
        (claim("manual"), volume("disk", "other"), True),
        (claim("manual"), volume("disk", "manual", "Released"), True),
        (claim("manual", volumeName="disk"), volume("disk", "manual"), False),
        (claim("manual", volumeName="mine"), volume("disk", "manual"), True),
        (claim(None), volume("disk", None), False),
        (claim(None), volume("disk", "manual"), True),
    ],
)
def test_volume_made_by_hand_needs_no_storage_class(
    wanted: dict[str, Any], made: dict[str, Any], is_error: bool
) -> None:
    """Claims are bound to free volumes of their class's name, whether the class exists or not."""
    live = error_causes(CHECK, make_snapshot(wanted, lists={VOLUMES: [made]}))
    assert bool(live) is is_error
    of_chart = {key: value for key, value in made.items() if key != "status"}
    if made["status"]["phase"] == "Available":
        assert bool(error_causes(CHECK, make_snapshot(wanted, of_chart))) is is_error


def test_claim_that_is_bound_is_not_judged() -> None:
    """Its class may be gone; every claim of a StatefulSet must be bound."""
    bound = {"metadata": {"name": "data-db-0"}, "status": {"phase": "Bound"}}
    pending = {"metadata": {"name": "data-db-1"}, "status": {"phase": "Pending"}}
    templates = [{"metadata": {"name": "data"}, "spec": {"storageClassName": "gone"}}]
    state = workload("db", kind="StatefulSet", spec={"volumeClaimTemplates": templates})
    assert summaries_of(CHECK, make_snapshot(state, lists={VOLUME_CLAIMS: [bound]})) == []
    assert len(error_causes(CHECK, make_snapshot(state, lists={VOLUME_CLAIMS: [bound, pending]}))) == 1


def test_missing_class_is_a_warning_where_volumes_may_not_be_read() -> None:
    """Whoever releases may lack the right to list volumes, and one may have been made by hand."""
    known = dict(make_snapshot(claim("slow")).live.lists)
    del known[VOLUMES]
    live = {"lists": known, "unread": {"persistentvolumes": "forbidden"}}
    (finding,) = findings_of(CHECK, make_snapshot(claim("slow"), live=live))
    by_hand = "the claim is bound only if somebody has made a volume for it (forbidden)"
    assert finding.severity.value == "warning"
    assert finding.cause == f"There is no StorageClass slow, and {by_hand}."


def test_volumes_are_no_objects_of_a_namespace() -> None:
    """They are listed across the cluster."""
    (rendered,) = make_manifest(volume("disk", "manual")).objects
    assert rendered.resource == VOLUMES
