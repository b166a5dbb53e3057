"""Deploys a version: upgrades, watches the rollout, and on failure saves evidence and restores what worked.

Called only while the environment's lock is held.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from todo_release.adapters.kubernetes import sleep
from todo_release.adapters.kubernetes.manifest import awaited_objects_of, namespaces_of, parse_manifest
from todo_release.artifacts import deployment as deployments
from todo_release.artifacts import versions
from todo_release.artifacts.deployment import Deployment
from todo_release.artifacts.images import read_committed_images
from todo_release.core import release_folder
from todo_release.core.progress import ProgressCallback
from todo_release.environments import history as deployment_history
from todo_release.environments import restore
from todo_release.environments.applying import Attempt, apply_patiently
from todo_release.environments.deviations import FindDeviations
from todo_release.environments.diagnosis.evidence import CollectEvidence
from todo_release.environments.drift import FindDrift
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext, ReleaseMark
from todo_release.environments.history import DeploymentRecord
from todo_release.environments.pull_access import CheckPullAccess
from todo_release.environments.rollout import watcher
from todo_release.environments.rollout.patience import patience_of
from todo_release.environments.status import RunningVersion, read_running_version
from todo_release.errors import ClusterError, DeclinedError, HelmError, PromotionError, ReleaseError
from todo_release.pipeline.downgrade import check_as_planned
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Deploy

NAMED_EDITS = 10


@dataclass(slots=True)
class _ReadyTimes:
    """The seconds after which each workload was ready, without those that are not ready any more."""

    say: ProgressCallback
    seconds: dict[str, float] = field(default_factory=dict)

    def report(self, progress: watcher.RolloutProgress) -> None:
        self.say(str(progress), is_note=True)
        for workload in progress.workloads:
            if workload.ready < workload.desired or workload.note:
                self.seconds.pop(workload.name, None)
            else:
                self.seconds.setdefault(workload.name, round(progress.seconds, 1))


@dataclass(frozen=True, slots=True)
class DeployHandler:
    """Deploys a tagged version and watches it until it is ready or has failed.

    `collect_evidence` saves evidence, `check_pull_access` raises RegistryError when the nodes cannot pull an
    image, `find_drift` finds edits made by hand, and `ask_to_overwrite` asks whether they may be overwritten.
    """

    context: ReleaseContext
    collect_evidence: CollectEvidence
    check_pull_access: CheckPullAccess
    find_drift: FindDrift
    ask_to_overwrite: Callable[[str], bool]
    find_deviations: FindDeviations

    def check(self, step: Deploy) -> StepResult | None:
        """Returns the last revision, if it is this deployment, unaltered, and all of it is ready."""
        access = self.context.connect(step.environment)
        with self._prepare(step) as deployment:
            running = read_running_version(access)
            if running is None or not running.is_deployed(deployment.id) or not running.is_ready:
                return None
            if self.find_deviations(access, running):
                return None
            return {"revision": running.revision, "deployment_id": deployment.id}

    def do(self, step: Deploy, say: ProgressCallback) -> StepResult:
        """Upgrades to the recorded digests.

        Raises:
            PromotionError: the environment that this one requires has not verified these digests.
            StalePlanError: the environment does not run what the plan saw.
            VersionError: a higher version runs there, and the plan does not allow a downgrade.
            RegistryError: the cluster cannot pull an image.
            DeclinedError: somebody edited the environment by hand, and nobody agreed to overwrite that.
            RolloutError: the pods cannot become ready; the earlier version was restored.
            HelmError: Helm refused; the earlier version was restored if anything was changed.
            ClusterError: the API server was away for too long; the same was tried.
            LockedError: the lock was lost; nothing more was changed.
        """
        access = self.context.connect(step.environment)
        with self._prepare(step) as deployment:
            # Pinned images were verified here before: `pipeline.rollback` refuses any others.
            if not step.pins:
                self._check_promotion(access, deployment)
            rendered = access.helm.template(
                deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
            )
            self.check_pull_access(access, rendered, deployment.images)
            self._unlock(access, say)
            running = read_running_version(access)
            _compare(step, running, say)
            last_revision = running.revision if running else 0
            is_applied = (
                running is not None
                and running.is_deployed(deployment.id)
                and deployment_history.is_unfinished(access.records.read(), last_revision)
            )
            if not is_applied:
                self._agree_to_overwrite(access, say)
            if running is not None and running.is_asleep:
                kinds = running.sleeping_kinds
                woken = sleep.wake(access.cluster, deployment.namespace, deployment.release, kinds)
                say(f"{access.name} was asleep: woke {', '.join(woken)}", is_note=True)
            revision = last_revision if is_applied else last_revision + 1
            attempt = Attempt(access, self._record(deployment, revision))
            attempt.begin()
            manifest = access.helm.manifest(deployment.release) if is_applied else rendered
            is_older = running is not None and _is_older(step, running.version)
            seconds, ready_after = self._roll_out(
                access,
                deployment,
                attempt,
                say,
                manifest=manifest,
                is_applied=is_applied,
                has_hooks=not is_older,
            )
            self._finish(step, attempt, seconds, is_older=is_older, say=say)
            return {
                "revision": attempt.revision,
                "deployment_id": deployment.id,
                "rollout_seconds": seconds,
                "ready_after": ready_after,
            }

    def _finish(
        self, step: Deploy, attempt: Attempt, seconds: float, *, is_older: bool, say: ProgressCallback
    ) -> None:
        """Records and marks that another version runs now."""
        access = attempt.access
        access.records.finish(attempt.revision, "deployed", seconds={"deploy": seconds})
        mark = ReleaseMark(
            reason="RolledBack" if is_older else "Released",
            text=f"{access.name}: {step.title[:1].lower()}{step.title[1:]} (revision {attempt.revision})",
            by=self.context.actor,
            began_at=attempt.record.started_at,
            ended_at=self.context.now(),
        )
        self.context.mark(access, mark, say)

    def _unlock(self, access: EnvironmentAccess, say: ProgressCallback) -> None:
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

    def _agree_to_overwrite(self, access: EnvironmentAccess, say: ProgressCallback) -> None:
        edits = [edit.message(self.context.now()) for edit in self.find_drift(access)]
        for edit in edits:
            say(edit, is_note=True)
        count = len(edits)
        what = f"{count} edit{'' if count == 1 else 's'} made by hand in {access.name}"
        if edits and not self.ask_to_overwrite(f"Overwrite {what}?"):
            more = f"; and {count - NAMED_EDITS} more" if count > NAMED_EDITS else ""
            raise DeclinedError(
                f"{what[:1].upper()}{what[1:]} would be overwritten, and nobody agreed: "
                f"{'; '.join(edits[:NAMED_EDITS])}{more}.",
                remedy=f"`inv drift --env {access.name}` lists them: move what must stay into the chart, "
                "then agree with `--overwrite-edits`; `--yes` does not.",
            )

    def _prepare(self, step: Deploy) -> AbstractContextManager[Deployment]:
        context = self.context
        repository, config = context.repository, context.config
        pins = {
            image: read_committed_images(repository, config, context.commit_of(version))[image]
            for image, version in step.pins.items()
        }
        commit = context.commit_of(step.version)
        return deployments.prepare_deployment(
            repository, config, step.environment, step.version, commit, pinned_images=pins
        )

    def _check_promotion(self, access: EnvironmentAccess, deployment: Deployment) -> None:
        required = access.settings.requires
        if required is None or deployment_history.is_verified(
            access.records.read(), deployment.version, deployment.digests
        ):
            return  # a version that was verified here once may return directly
        if not deployment_history.is_promotable(
            self.context.connect(required).records.read(),
            deployment.version,
            deployment.digests,
            is_watched=self.context.config.is_watched(required),
        ):
            raise PromotionError(
                f"{required} has not verified this {deployment.version}; {access.name} refuses it.",
                remedy=f"Run `inv deploy --env {required} --version {deployment.version}` first.",
            )

    def _record(self, deployment: Deployment, revision: int) -> DeploymentRecord:
        return DeploymentRecord(
            revision=revision,
            version=deployment.version,
            deployment_id=deployment.id,
            digests=deployment.digests,
            by=self.context.actor,
            run_url=self.context.run_url,
            started_at=self.context.now(),
            result="deploying",
        )

    def _roll_out(
        self,
        access: EnvironmentAccess,
        deployment: Deployment,
        attempt: Attempt,
        say: ProgressCallback,
        *,
        manifest: str,
        is_applied: bool,
        has_hooks: bool,
    ) -> tuple[float, dict[str, float]]:
        """Applies the deployment, unless an earlier run did, and watches it.

        Returns the seconds until everything was ready, and the seconds of each workload by name. A workload
        that was ready and is not any more counts from the next time it is ready.
        """
        ready_times = _ReadyTimes(say)
        objects = awaited_objects_of(manifest, deployment.namespace)
        hook_seconds = self.context.config.hook_timeout_of(access.name)

        def apply(cancel: Event) -> None:
            upgrade = partial(
                access.helm.upgrade,
                deployment.release,
                deployment.chart,
                values=deployment.values,
                overlay=deployment.overlay,
                timeout_seconds=hook_seconds,
                description=deployment.description,
                has_hooks=has_hooks,
                on_line=say,
                cancel=cancel,
            )
            apply_patiently(
                access,
                upgrade,
                is_done=lambda newest: newest.description == deployment.description,
                before_retry=attempt.again,
                seconds=hook_seconds,
                say=say,
                cancel=cancel,
            )

        watch = watcher.watch if is_applied else partial(watcher.roll_out, apply, hook_seconds=hook_seconds)
        try:
            result = watch(
                access.cluster,
                deployment.namespace,
                objects,
                deadline_seconds=access.settings.timeout_seconds,
                on_progress=ready_times.report,
                patience=patience_of(self.context.config, access.name, parse_manifest(manifest)),
            )
        except (HelmError, ClusterError) as error:
            raise self._undo(access, attempt.revision, error, say) from error
        if isinstance(result, watcher.Ready):
            last = dict.fromkeys((ref.name for ref in objects if ref.is_workload), round(result.seconds, 1))
            return result.seconds, last | ready_times.seconds
        failed = result.failure.to_error(self._save_evidence(access, deployment, manifest))
        raise self._undo(access, attempt.revision, failed, say)

    def _save_evidence(self, access: EnvironmentAccess, deployment: Deployment, manifest: str) -> Path:
        root = self.context.repository.root
        folder = release_folder.evidence_folder(root, access.name, deployment.version)
        return self.collect_evidence(access.cluster, namespaces_of(manifest, deployment.namespace), folder)

    def _undo(
        self, access: EnvironmentAccess, revision: int, error: ReleaseError, say: ProgressCallback
    ) -> ReleaseError:
        access.fence.check_holder()
        say(f"failed: {error.problem}", is_note=True)
        done = restore.restore_after_failure(self.context, access, revision, error, say)
        access.fence.check_holder()  # whoever took over while this run slept decides what runs
        say(done, is_note=True)
        error.add_note(done)
        return error


def _is_older(step: Deploy, running: str) -> bool:
    """Returns whether older code replaces newer code of any service.

    Migrations of the older code may not know what the newer ones changed, so they must not run.
    """
    return bool(step.pins) or versions.is_lower(step.version, running)


def _compare(step: Deploy, running: RunningVersion | None, say: ProgressCallback) -> None:
    """Checks that what runs may be replaced, and says what is not as the plan or this engine left it."""
    if change := check_as_planned(step, running):
        say(change, is_note=True)
    if running is not None and running.deployment_id is None and running.status == "deployed":
        say(f"{running.version or 'what runs'} was deployed by another tool; taken over", is_note=True)
    if running is not None and _is_older(step, running.version):
        say("an older version: Helm hooks are skipped, and migrations are not undone", is_note=True)
