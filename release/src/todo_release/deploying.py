"""The step that deploys a version: upgrade, watch, and on failure keep the evidence and restore what worked.

Called only while the environment's lock is held.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from todo_release import deployment as deployments
from todo_release import journal
from todo_release import records as records_of
from todo_release.chart import ImageReference
from todo_release.deployment import Deployment
from todo_release.environments import Access, Operator, running_in
from todo_release.errors import HelmError, PromotionError, ReleaseError
from todo_release.pipeline import Outcome, Say
from todo_release.publishing import committed_images
from todo_release.records import Record
from todo_release.steps import Deploy

if TYPE_CHECKING:
    from todo_release.kube import Cluster
    from todo_release.observed import WorkloadRef

EVIDENCE = "evidence"
Collect = Callable[["Cluster", str, Path], Path]
CheckPull = Callable[[Access, str, Mapping[str, ImageReference]], object]


@dataclass(frozen=True, slots=True)
class DeployHandler:
    """Deploys a tagged version and watches it until it is ready or cannot become so.

    `collect` keeps evidence, `check_pull` raises RegistryError when the nodes will not be able to pull.
    """

    operator: Operator
    collect: Collect
    check_pull: CheckPull

    def check(self, step: Deploy) -> Outcome | None:
        """Done when the last revision is this deployment and everything of it is ready."""
        access = self.operator.reach(step.environment)
        with self._prepared(step) as deployment:
            running = running_in(access)
            if running is None or not running.is_deployed(deployment.id) or not running.is_ready:
                return None
            return {"revision": running.revision, "deployment_id": deployment.id}

    def do(self, step: Deploy, say: Say) -> Outcome:
        """Upgrade with the recorded digests.

        Raises:
            PromotionError: the environment this one requires has not verified these digests.
            RegistryError: the cluster will not be able to pull an image.
            RolloutError: the pods cannot become ready; the earlier version was restored.
            HelmError: Helm refused; the earlier version was restored if anything was changed.
        """
        from todo_release.rollout import workloads_of

        access = self.operator.reach(step.environment)
        with self._prepared(step) as deployment:
            # What is pinned was verified here before: `todo_release.rollback` refuses all else.
            if not step.pins:
                self._check_promotion(access, deployment)
            rendered = access.helm.template(
                deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
            )
            self.check_pull(access, rendered, deployment.images)
            self._unlock(access, say)
            running = running_in(access)
            before = running.revision if running else 0
            is_applied = (
                running is not None
                and running.is_deployed(deployment.id)
                and records_of.is_unfinished(access.records.read(), before)
            )
            revision = before if is_applied else before + 1
            access.records.write(self._record(deployment, revision))
            workloads = workloads_of(access.helm.manifest(deployment.release) if is_applied else rendered)
            seconds = self._roll_out(
                access, deployment, revision, say, workloads=workloads, is_applied=is_applied
            )
            access.records.finish(revision, "deployed", seconds={"deploy": seconds})
            return {"revision": revision, "deployment_id": deployment.id, "rollout_seconds": seconds}

    def _unlock(self, access: Access, say: Say) -> None:
        unlocked = access.helm.unlock(access.settings.release)
        if unlocked is None:
            return
        say(
            f"revision {unlocked.number} was left {unlocked.status} by a run that died; unlocked",
            is_note=True,
        )
        if any(record.revision == unlocked.number for record in access.records.read()):
            access.records.finish(
                unlocked.number, "failed", seconds={}, cause="the run that deployed it died"
            )

    def _prepared(self, step: Deploy) -> AbstractContextManager[Deployment]:
        operator = self.operator
        repository, config = operator.repository, operator.config
        pins = {
            image: committed_images(repository, config, operator.commit_of(version))[image]
            for image, version in step.pins.items()
        }
        commit = operator.commit_of(step.version)
        return deployments.prepare(repository, config, step.environment, step.version, commit, pins=pins)

    def _check_promotion(self, access: Access, deployment: Deployment) -> None:
        required = access.settings.requires
        if required is None or records_of.is_verified(
            access.records.read(), deployment.version, deployment.digests
        ):
            return  # what was verified here once may come back without a detour
        before = self.operator.reach(required).records.read()
        if not records_of.is_verified(before, deployment.version, deployment.digests):
            raise PromotionError(
                f"{required} has not verified this {deployment.version}; {access.name} refuses it.",
                remedy=f"Run `inv deploy --env {required} --version {deployment.version}` first.",
            )

    def _record(self, deployment: Deployment, revision: int) -> Record:
        return Record(
            revision=revision,
            version=deployment.version,
            deployment_id=deployment.id,
            digests=deployment.digests,
            by=self.operator.by,
            run_url=self.operator.run_url,
            started_at=self.operator.now(),
            result="deploying",
        )

    def _roll_out(
        self,
        access: Access,
        deployment: Deployment,
        revision: int,
        say: Say,
        *,
        workloads: "Sequence[WorkloadRef]",
        is_applied: bool,
    ) -> float:
        """Apply, unless a run that died did, and watch. Returns the seconds until all was ready.

        What was once ready and is so no more is applied again: somebody or something has changed it since.
        """
        from todo_release import rollout

        def apply(cancel: Event) -> None:
            access.helm.upgrade(
                deployment.release,
                deployment.chart,
                values=deployment.values,
                overlay=deployment.overlay,
                timeout_seconds=access.settings.timeout_seconds,
                description=deployment.description,
                on_line=say,
                cancel=cancel,
            )

        watch = rollout.watch if is_applied else partial(rollout.roll_out, apply)
        try:
            result = watch(
                access.cluster,
                deployment.namespace,
                workloads,
                deadline_seconds=access.settings.timeout_seconds,
                on_progress=lambda progress: say(str(progress), is_note=True),
            )
        except HelmError as error:
            raise self._undone(access, revision, error, say) from error
        if isinstance(result, rollout.Ready):
            return result.seconds
        raise self._undone(access, revision, result.doom.error(self._evidence(access, deployment)), say)

    def _evidence(self, access: Access, deployment: Deployment) -> Path:
        folder = self.operator.repository.root / journal.FOLDER / deployment.version / EVIDENCE / access.name
        return self.collect(access.cluster, deployment.namespace, folder)

    def _undone(self, access: Access, revision: int, error: ReleaseError, say: Say) -> ReleaseError:
        say(f"failed: {error.problem}", is_note=True)
        done = self.operator.fail(access, revision, error, say)
        say(done, is_note=True)
        error.add_note(done)
        return error
