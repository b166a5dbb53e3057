"""Reconstructs deployment records from Helm's own storage, where the engine leaves version and id.

Records are lost when somebody deletes the ConfigMap, and missing after a bare `helm rollback`, after a run
that was killed between Helm and the record, and for what another tool deployed first. After `helm uninstall`
Helm counts revisions from 1 again, and the records of the installation before do not count any more.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from todo_release.artifacts.deployment import parse_description
from todo_release.environments.history import DeploymentRecord, DeploymentResult, Repairs
from todo_release.errors import HelmError

if TYPE_CHECKING:
    from todo_release.adapters.helm.storage import Revision

ROLLBACK = re.compile(r"Rollback to (\d+)")  # how Helm describes a revision that a rollback made
FOREIGN = "deployed by another tool"
RESULTS: Mapping[str, DeploymentResult] = {
    "deployed": "deployed", "superseded": "deployed", "failed": "failed",
}  # fmt: skip

APPLIED = ("deployed", "verified")  # results that a record gets only after Helm has made the revision


class RevisionSource(Protocol):
    """What the repair needs of Helm's storage (`todo_release.adapters.helm.cli.Helm`)."""

    def statuses(self, release: str) -> Mapping[int, str]:
        """Returns the status of each revision that is kept, by number."""

    def revision(self, release: str, number: int) -> "Revision | None":
        """Returns one revision; None when Helm no longer keeps it."""

    def manifest(self, release: str, revision: int | None = None) -> str:
        """Returns the manifest of a revision."""


@dataclass(frozen=True, slots=True)
class RecordRepair:
    """Completes the records of one release; `images` are the repositories of its images by name."""

    helm: RevisionSource
    release: str
    images: Mapping[str, str]

    def __call__(self, known: Mapping[int, DeploymentRecord]) -> Repairs:
        """Returns the records that are missing or wrong in `known`, and those of an earlier installation.

        Raises:
            ClusterError: The API server was not reachable or refused.
        """
        statuses = self.helm.statuses(self.release)
        obsolete = self._obsolete(known, statuses)
        kept = {number: record for number, record in known.items() if number not in obsolete}
        complete = dict(kept)
        for number, status in sorted(statuses.items()):
            try:
                repaired = self._repaired(number, status, kept.get(number), complete)
            except HelmError:
                continue  # a record that Helm cannot read either
            if repaired is not None:
                complete[number] = repaired
        changed = [record for number, record in complete.items() if record is not kept.get(number)]
        return Repairs(
            changed, obsolete, list(self._notes(kept, changed, [known[n] for n in sorted(obsolete)]))
        )

    def _obsolete(self, known: Mapping[int, DeploymentRecord], statuses: Mapping[int, str]) -> frozenset[int]:
        """Returns the revisions that Helm does not have, or has as another deployment.

        Only the newest is compared; the others when it differs, has no record, or records are of revisions
        that Helm does not have.
        """
        newest = max(statuses, default=0)
        beyond = {number for number in known if number > newest}
        gone = beyond if any(known[number].result in APPLIED for number in beyond) else set()
        if not gone and newest in known and self._is_of(known[newest], statuses[newest]):
            return frozenset()
        recorded_until = max((known[number].started_at for number in gone), default=None)
        return frozenset(
            gone
            | {
                number
                for number in known.keys() & statuses.keys()
                if not self._is_of(known[number], statuses[number])
                or (recorded_until is not None and self._is_after(number, recorded_until))
            }
        )

    def _is_after(self, number: int, instant: datetime) -> bool:
        """Checks whether Helm made a revision after an instant, so that it belongs to another install."""
        try:
            revision = self.helm.revision(self.release, number)
        except HelmError:
            return False
        return revision is not None and revision.updated_at > instant

    def _is_of(self, record: DeploymentRecord, status: str) -> bool:
        """Checks whether Helm's revision is what a record says; Helm does not say what a failed one was."""
        if record.result not in APPLIED or RESULTS.get(status) != "deployed":
            return True
        try:
            revision = self.helm.revision(self.release, record.revision)
        except HelmError:
            return True
        if revision is None or ROLLBACK.fullmatch(revision.description):
            return True
        described = parse_description(revision.description)
        return record.deployment_id == (described[1] if described else "")

    def _notes(
        self,
        known: Mapping[int, DeploymentRecord],
        changed: Sequence[DeploymentRecord],
        obsolete: Sequence[DeploymentRecord],
    ) -> Iterator[str]:
        if obsolete:
            yield (
                f"{_named(obsolete)} of {self.release}: recorded, but Helm has another deployment of that "
                "number or none (the release was uninstalled); the record does not count any more"
            )
        foreign = [record for record in changed if record.cause == FOREIGN]
        lost = [record for record in changed if record.revision not in known and record.cause != FOREIGN]
        wrong = [record for record in changed if record.revision in known and record.cause != FOREIGN]
        if foreign:
            yield (
                f"{_named(foreign)} of {self.release}: deployed by another tool, the last one as "
                f"{foreign[-1].version or 'no version'}; taken over"
            )
        if lost:
            yield (
                f"{_named(lost)} of {self.release}: without a record, reconstructed from Helm's storage; "
                f"the last one is {lost[-1].version}, {lost[-1].cause}"
            )
        for record in wrong:
            before = known[record.revision]
            yield (
                f"{_named([record])} of {self.release}: {record.version}, {record.result} by Helm's storage; "
                f"it was recorded as {before.version}, {before.result}"
            )

    def _repaired(
        self,
        number: int,
        status: str,
        record: DeploymentRecord | None,
        complete: Mapping[int, DeploymentRecord],
    ) -> DeploymentRecord | None:
        """Returns what Helm knows better; None when the record is right, or a run still works on it."""
        if status not in RESULTS:
            return None
        if record is None:
            return self._reconstruct(number, RESULTS[status], complete)
        if status == "failed" and record.result != "failed":
            return replace(record, result="failed", cause=record.cause or "Helm calls it failed")
        if record.result == "deploying":
            revision = self.helm.revision(self.release, number)
            described = parse_description(revision.description) if revision else None
            if revision and (described is None or described[1] != record.deployment_id):
                return self._reconstruct(number, RESULTS[status], complete)
        return None

    def _reconstruct(
        self, number: int, result: DeploymentResult, complete: Mapping[int, DeploymentRecord]
    ) -> DeploymentRecord | None:
        revision = self.helm.revision(self.release, number)
        if revision is None:
            return None
        rollback = ROLLBACK.fullmatch(revision.description)
        original = complete.get(int(rollback[1])) if rollback else None
        described = parse_description(revision.description)
        if rollback:
            cause = f"rollback to revision {rollback[1]}"
        elif described:
            cause = "deployed by a run whose record is lost"
        else:
            cause = FOREIGN if result != "failed" else f"failed: {revision.description}"
        return DeploymentRecord(
            revision=number,
            version=original.version if original else described[0] if described else revision.app_version,
            deployment_id=original.deployment_id if original else described[1] if described else "",
            digests=original.digests if original else self._digests(number),
            by="unknown",
            run_url=None,
            started_at=revision.updated_at,
            result=result,
            cause=cause,
            is_reconstructed=True,
        )

    def _digests(self, number: int) -> dict[str, str]:
        """Returns the digests of release.yaml's images that a revision names."""
        manifest = self.helm.manifest(self.release, number)
        found = {
            name: re.search(rf"{re.escape(repository)}(?::[\w.-]+)?@(sha256:[0-9a-f]{{64}})", manifest)
            for name, repository in self.images.items()
        }
        return {name: match[1] for name, match in found.items() if match}


def _named(records: Sequence[DeploymentRecord]) -> str:
    numbers = ", ".join(str(record.revision) for record in records)
    return f"revision {numbers}" if len(records) == 1 else f"revisions {numbers}"
