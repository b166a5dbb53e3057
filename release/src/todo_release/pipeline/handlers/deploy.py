"""The step that deploys a version: upgrade, watch, and on failure keep the evidence and restore what worked.

Called only while the environment's lock is held.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from todo_release.artifacts import deployment as deployments
from todo_release.artifacts import versions
from todo_release.artifacts.deployment import Deployment
from todo_release.artifacts.images import committed_images
from todo_release.core import release_folder
from todo_release.core.progress import Say
from todo_release.environments import history as records_of
from todo_release.environments import restore
from todo_release.environments.diagnosis.evidence import CollectEvidence
from todo_release.environments.drift import FindDrift
from todo_release.environments.environment import Access, ReleaseContext
from todo_release.environments.history import Record
from todo_release.environments.pull_access import CheckPullAccess
from todo_release.environments.status import running_in
from todo_release.errors import DeclinedError, HelmError, PromotionError, ReleaseError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Deploy

if TYPE_CHECKING:
    from todo_release.adapters.kubernetes.objects import WorkloadRef
    from todo_release.environments.rollout.watcher import Progress


@dataclass(frozen=True, slots=True)
class DeployHandler:
    """Deploys a tagged version and watches it until it is ready or cannot become so.

    `collect_evidence` saves evidence, `check_pull_access` raises RegistryError when the nodes cannot pull an
    image, `drift` finds edits made by hand, and `ask` asks whether they may be overwritten.
    """

    context: ReleaseContext
    collect_evidence: CollectEvidence
    check_pull_access: CheckPullAccess
    drift: FindDrift
    ask: Callable[[str], bool]

    def check(self, step: Deploy) -> StepResult | None:
        """Done when the last revision is this deployment and everything of it is ready."""
        access = self.context.reach(step.environment)
        with self._prepared(step) as deployment:
            running = running_in(access)
            if running is None or not running.is_deployed(deployment.id) or not running.is_ready:
                return None
            return {"revision": running.revision, "deployment_id": deployment.id}

    def do(self, step: Deploy, say: Say) -> StepResult:
        """Upgrade with the recorded digests.

        Raises:
            PromotionError: the environment this one requires has not verified these digests.
            RegistryError: the cluster will not be able to pull an image.
            DeclinedError: others changed something by hand, and nobody agreed to overwrite it.
            RolloutError: the pods cannot become ready; the earlier version was restored.
            HelmError: Helm refused; the earlier version was restored if anything was changed.
        """
        from todo_release.adapters.kubernetes.manifest import workloads_of

        access = self.context.reach(step.environment)
        with self._prepared(step) as deployment:
            # What is pinned was verified here before: `pipeline.rollback` refuses all else.
            if not step.pins:
                self._check_promotion(access, deployment)
            rendered = access.helm.template(
                deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
            )
            self.check_pull_access(access, rendered, deployment.images)
            self._unlock(access, say)
            running = running_in(access)
            before = running.revision if running else 0
            is_applied = (
                running is not None
                and running.is_deployed(deployment.id)
                and records_of.is_unfinished(access.records.read(), before)
            )
            if not is_applied:
                self._agree_to_overwrite(access, say)
            revision = before if is_applied else before + 1
            access.records.write(self._record(deployment, revision))
            workloads = workloads_of(access.helm.manifest(deployment.release) if is_applied else rendered)
            is_back = running is not None and _is_back(step, running.version)
            if is_back:
                say("goes back, so hooks are left out: what migrations did to data stays", is_note=True)
            seconds, ready_after = self._roll_out(
                access,
                deployment,
                revision,
                say,
                workloads=workloads,
                is_applied=is_applied,
                has_hooks=not is_back,
            )
            access.records.finish(revision, "deployed", seconds={"deploy": seconds})
            return {
                "revision": revision,
                "deployment_id": deployment.id,
                "rollout_seconds": seconds,
                "ready_after": ready_after,
            }

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

    def _agree_to_overwrite(self, access: Access, say: Say) -> None:
        edits = self.drift(access)
        for edit in edits:
            say(edit.told(self.context.now()), is_note=True)
        count = len(edits)
        what = f"{count} edit{'' if count == 1 else 's'} made by hand in {access.name}"
        if edits and not self.ask(f"Overwrite {what}?"):
            raise DeclinedError(
                f"{what[:1].upper()}{what[1:]} would be overwritten, and nobody agreed: "
                f"{edits[0].told(self.context.now())}.",
                remedy=f"`inv drift --env {access.name}` lists them: put into the chart what is to stay, "
                "or agree with `--yes`.",
            )

    def _prepared(self, step: Deploy) -> AbstractContextManager[Deployment]:
        context = self.context
        repository, config = context.repository, context.config
        pins = {
            image: committed_images(repository, config, context.commit_of(version))[image]
            for image, version in step.pins.items()
        }
        commit = context.commit_of(step.version)
        return deployments.prepare(repository, config, step.environment, step.version, commit, pins=pins)

    def _check_promotion(self, access: Access, deployment: Deployment) -> None:
        required = access.settings.requires
        if required is None or records_of.is_verified(
            access.records.read(), deployment.version, deployment.digests
        ):
            return  # what was verified here once may come back without a detour
        before = self.context.reach(required).records.read()
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
            by=self.context.by,
            run_url=self.context.run_url,
            started_at=self.context.now(),
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
        has_hooks: bool,
    ) -> tuple[float, dict[str, float]]:
        """Apply, unless a run that died did, and watch. Returns the seconds until all was ready, and until
        each workload came to be.

        What was once ready and is so no more is applied again: somebody or something has changed it since.
        """
        from todo_release.environments.rollout import watcher

        ready_after: dict[str, float] = {}

        def tell(progress: "Progress") -> None:
            say(str(progress), is_note=True)
            for one in progress.workloads:
                if one.ready < one.desired or one.note:
                    ready_after.pop(one.name, None)
                else:
                    ready_after.setdefault(one.name, round(progress.seconds, 1))

        def apply(cancel: Event) -> None:
            access.helm.upgrade(
                deployment.release,
                deployment.chart,
                values=deployment.values,
                overlay=deployment.overlay,
                timeout_seconds=access.settings.timeout_seconds,
                description=deployment.description,
                has_hooks=has_hooks,
                on_line=say,
                cancel=cancel,
            )

        watch = watcher.watch if is_applied else partial(watcher.roll_out, apply)
        try:
            result = watch(
                access.cluster,
                deployment.namespace,
                workloads,
                deadline_seconds=access.settings.timeout_seconds,
                on_progress=tell,
            )
        except HelmError as error:
            raise self._undone(access, revision, error, say) from error
        if isinstance(result, watcher.Ready):
            last = {ref.name: round(result.seconds, 1) for ref in workloads if not ref.is_hook}
            return result.seconds, last | ready_after
        raise self._undone(access, revision, result.failure.error(self._evidence(access, deployment)), say)

    def _evidence(self, access: Access, deployment: Deployment) -> Path:
        root = self.context.repository.root
        folder = release_folder.evidence_folder(root, access.name, deployment.version)
        return self.collect_evidence(access.cluster, deployment.namespace, folder)

    def _undone(self, access: Access, revision: int, error: ReleaseError, say: Say) -> ReleaseError:
        say(f"failed: {error.problem}", is_note=True)
        done = restore.fail(self.context, access, revision, error, say)
        say(done, is_note=True)
        error.add_note(done)
        return error


def _is_back(step: Deploy, running: str) -> bool:
    """Whether older code replaces newer, of all or of some services: its migrations may not even know what
    the newer ones made.
    """
    return bool(step.pins) or versions.parse(step.version) < versions.parse(running)
