"""Verifies a deployment: compares what runs with what was released, and checks it from outside."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import namespaces_of, workloads_of
from todo_release.adapters.kubernetes.retry import retried
from todo_release.artifacts.deployment import prepare_deployment
from todo_release.config.model import SmokeSettings
from todo_release.core import release_folder
from todo_release.core.progress import ProgressCallback
from todo_release.environments import history as deployment_history
from todo_release.environments import restore
from todo_release.environments.deviations import FindDeviations, deviation_error
from todo_release.environments.diagnosis.evidence import CollectEvidence, find_failure
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.rollout.causes import RolloutFailure
from todo_release.environments.rollout.drain import drain
from todo_release.environments.rollout.endpoints import wait_for_endpoints
from todo_release.environments.smoke.builds import FindBuilds
from todo_release.environments.smoke.result import CheckResult, SmokeTarget
from todo_release.environments.status import RunningVersion, read_running_version
from todo_release.errors import ClusterError, ReleaseError, SmokeError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Verify

if TYPE_CHECKING:
    from todo_release.environments.smoke.checks import RunSmoke


@dataclass(frozen=True, slots=True)
class VerifyHandler:
    """Runs the smoke checks of release.yaml against the environment's URL."""

    context: ReleaseContext
    run_smoke: "RunSmoke"
    collect_evidence: CollectEvidence
    find_deviations: FindDeviations
    find_builds: FindBuilds

    def check(self, step: Verify) -> StepResult | None:
        """Returns a result, if exactly this deployment was verified here and runs unaltered and ready."""
        access = self.context.connect(step.environment)
        with prepare_deployment(
            self.context.repository,
            self.context.config,
            step.environment,
            step.version,
            self.context.commit_of(step.version),
        ) as deployment:
            running = read_running_version(access)
            if running is None or not running.is_deployed(deployment.id) or not running.is_ready:
                return None
            if not deployment_history.is_revision_verified(access.records.read(), running.revision):
                return None
            if self.find_deviations(access, running):
                return None
        return {"checks": 0}

    def do(self, step: Verify, say: ProgressCallback) -> StepResult:
        """Runs the checks once they can only be answered by this version, and records the result.

        When a check fails, the earlier version is restored. When something was changed by others, it is not,
        because the version is not at fault.

        Raises:
            SmokeError: a check fails, something else was deployed meanwhile, or runs in a pod.
        """
        access = self.context.connect(step.environment)
        running = retried(partial(read_running_version, access))
        if running is None or running.version != step.version:
            raise SmokeError(
                f"{step.environment} runs {running.version if running else 'nothing'}, not {step.version}.",
                remedy=f"Run `inv deploy --env {step.environment} --version {step.version}`.",
            )
        settings = self.context.config.smoke_of(step.environment)
        self._wait_for_version(access, running, settings, partial(say, is_note=True))
        if deviations := retried(partial(self.find_deviations, access, running)):
            raise deviation_error(access, deviations)
        began = time.monotonic()
        records = retried(access.records.read)
        digests = next((record.digests for record in records if record.revision == running.revision), {})
        target = SmokeTarget(
            access.settings.url,
            step.version,
            self.context.repository.root,
            self.find_builds(settings, digests),
        )
        results = self.run_smoke(settings, target, say)
        seconds = time.monotonic() - began
        failed = [result for result in results if not result.is_ok]
        if failed:
            raise self._undo(step, access, running, failed, say)
        access.records.finish(
            running.revision,
            "verified",
            seconds={"verify": seconds},
            watch=deployment_history.WATCH_PENDING if step.is_watched_next else None,
        )
        return {"checks": len(results), "verify_seconds": seconds}

    def _wait_for_version(
        self,
        access: EnvironmentAccess,
        running: RunningVersion,
        settings: SmokeSettings,
        note: Callable[[str], None],
    ) -> None:
        """Waits until old pods answer no check: an ingress may send to them until they are gone.

        Where answers name their build, those of old pods do not count, and the wait ends with the Services.
        """
        namespace = access.settings.namespace
        if any(check.build for check in settings.http):
            wait_for_endpoints(access.cluster, namespace, running.manifest, on_wait=note)
        else:
            retried(partial(drain, access.cluster, namespace, on_wait=note))

    def _undo(
        self,
        step: Verify,
        access: EnvironmentAccess,
        running: RunningVersion,
        failed: list[CheckResult],
        say: ProgressCallback,
    ) -> ReleaseError:
        """Restores the earlier version and returns the error, with the state of the pods and the evidence."""
        reasons = [f"{check.name}: {check.detail}" for check in failed]
        failure = _find_failure(access, running.manifest)
        if failure is not None:
            reasons.append(f"{failure.workload}: {failure.message} [{failure.cause.id}]")
        namespaces = namespaces_of(running.manifest, access.settings.namespace)
        folder = release_folder.evidence_folder(self.context.repository.root, access.name, step.version)
        error = SmokeError(
            f"{step.environment} does not answer as it should: {'; '.join(reasons)}.",
            remedy=failure.remedy
            if failure
            else "Find the cause in the logs of the evidence, correct it, and release the next version.",
            evidence=str(self.collect_evidence(access.cluster, namespaces, folder)),
        )
        done = restore.restore_after_failure(self.context, access, running.revision, error, say)
        say(done, is_note=True)
        error.add_note(done)
        return error


def _find_failure(access: EnvironmentAccess, manifest: str) -> RolloutFailure | None:
    """Returns what is wrong with the pods, None if nothing is or the cluster does not answer."""
    workloads = workloads_of(manifest, access.settings.namespace)
    try:
        return find_failure(access.cluster.snapshot(access.settings.namespace, workloads))
    except ClusterError:
        return None
