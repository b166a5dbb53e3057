"""What a deployment that failed leaves behind: the earlier version, evidence and records."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest

from todo_release.adapters.kubernetes.client import ApiUnavailableError
from todo_release.environments import restore
from todo_release.environments.rollout import endpoints, watcher
from todo_release.environments.rollout.causes import CRASH_LOOP, RolloutFailure
from todo_release.environments.rollout.watcher import Failed
from todo_release.errors import (
    ClusterError,
    LockedError,
    RolloutError,
)

from ...doubles.clients import OLD_POD
from ...doubles.harness import Harness
from ...shop import Tree
from .deployed_shop import SERVED


def rollout_fails(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
    """Applies the version and returns a rollout whose pods crash."""
    apply(Event())
    return Failed(RolloutFailure(CRASH_LOOP, "Deployment/web", "it ended twice"), 3.0)


def test_failed_rollout_saves_evidence_restores_and_ends_with_the_code_of_the_cause(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed revision is marked as failed before the rollback, so that no later rollback chooses it."""
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.code == CRASH_LOOP.code
    assert failed.value.evidence == str(harness.root / ".release/0.2.0/evidence/staging")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert [(revision.app_version, revision.status) for revision in harness.helm["staging"].revisions] == [
        ("0.1.0", "superseded"),
        ("0.2.0", "failed"),
        ("0.1.0", "deployed"),
    ]
    failure = harness.records("staging").read()[1]
    assert (failure.result, "it ended twice" in (failure.cause or "")) == ("failed", True)


def test_rollback_that_does_not_become_ready_is_reported(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note on the rollback says that the earlier version is not ready either."""

    def unready(*_: object, **__: object) -> Failed:
        return Failed(RolloutFailure(CRASH_LOOP, "Deployment/api", "it ended too"), 3.0)

    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    monkeypatch.setattr(watcher, "watch", unready)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == [
        "rolled back to 0.1.0 (revision 1), but Deployment/api: it ended too [crash-loop]."
    ]


def test_rollback_that_fails_does_not_hide_why_it_was_needed(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error keeps the cause and its exit code; the failed rollback is a note."""
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    harness.helm["staging"].dies_in = "rollback"
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.code == CRASH_LOOP.code
    (note,) = failed.value.__notes__
    assert note.startswith("the earlier version could not be restored: Helm refused to go back.")
    assert note.endswith("try `inv rollback --env staging`")
    assert harness.records("staging").read()[1].result == "failed"


def test_rollback_is_made_although_nothing_can_be_recorded(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause stays the error; that Helm's and the engine's records could not be written is a note."""

    def refused(*_: object, **__: object) -> None:
        raise ClusterError("Kubernetes refused to replace it (403).", remedy="Give the right.")

    def fails(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
        result = rollout_fails(apply)
        monkeypatch.setattr(harness.cluster, "put_config_map", refused)
        monkeypatch.setattr(harness.helm["staging"], "mark_failed", refused)
        return result

    monkeypatch.setattr(watcher, "roll_out", fails)
    with pytest.raises(RolloutError, match="it ended twice") as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == [
        "rolled back to 0.1.0 (revision 1); not recorded, because kubernetes refused to replace it (403)"
    ]
    assert harness.helm["staging"].revisions[-1].description == "Rollback to 1"


def test_outage_that_lasts_until_the_deadline_is_undone(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the watch gives up because the API server stays away, the earlier version is restored."""

    def away(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
        apply(Event())
        raise ApiUnavailableError("The API server is away.", remedy="Wait.")

    monkeypatch.setattr(watcher, "roll_out", away)
    with pytest.raises(ClusterError, match="is away") as failed:
        harness.release("0.2.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]


def test_run_that_lost_its_lock_changes_nothing_more(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else releases now: neither a rollback nor a record is written."""

    def lost(apply: Callable[[Event], None], *_: object, **__: object) -> Failed:
        apply(Event())
        raise LockedError("Bob releases.", remedy="Wait.")

    monkeypatch.setattr(watcher, "roll_out", lost)
    with pytest.raises(LockedError, match="Bob releases"):
        harness.release("0.2.0")
    assert [revision.app_version for revision in harness.helm["staging"].revisions] == ["0.1.0", "0.2.0"]
    assert harness.records("staging").read()[-1].result == "deploying"


def test_rollback_skips_a_revision_that_helm_calls_failed(
    harness: Harness, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision that Helm calls failed is not restored, whatever the records say."""
    harness.release("0.2.0")
    harness.helm["staging"].mark_failed("shop-staging", 2, "another revision 2")
    tree.commit("web: Change.", {"web/index.js": "changed again\n"})
    monkeypatch.setattr(watcher, "roll_out", rollout_fails)
    with pytest.raises(RolloutError) as failed:
        harness.release("0.3.0")
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]


def test_rollback_is_over_when_services_send_to_the_earlier_version(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note comes before the result of the rollback, and pods that terminate do not delay it."""
    harness.helm["staging"].objects = SERVED
    harness.cluster.old_endpoint_reads = 1
    harness.cluster.pods = (replace(OLD_POD, name="web-3-a", uid="uid-3", is_terminating=False),)
    monkeypatch.setattr(endpoints, "POLL_SECONDS", 0.01)
    notes: list[str] = []
    access = harness.session.context.connect("staging")
    harness.helm["staging"].upgrade(
        "shop-staging",
        harness.root / "chart",
        values=(),
        overlay={},
        timeout_seconds=1,
        description="0.1.0 0123456789abcdef",
        has_hooks=True,
        on_line=notes.append,
    )
    restore.restore_last_working(
        harness.session.context, access, 2, lambda text, is_note=False: notes.append(text), []
    )
    assert "Service/web still sends to old pods: web-1-a" in notes
