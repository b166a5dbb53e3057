"""The step that judges an environment: smoke checks from outside, the verdict recorded where the next one
looks.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import workloads_of
from todo_release.artifacts.deployment import prepare
from todo_release.core import release_folder
from todo_release.core.progress import Say
from todo_release.environments import history as records_of
from todo_release.environments import restore
from todo_release.environments.diagnosis.evidence import CollectEvidence, explain
from todo_release.environments.environment import Access, ReleaseContext
from todo_release.environments.rollout.drain import drain
from todo_release.environments.smoke.checks import RunSmoke
from todo_release.environments.status import running_in
from todo_release.errors import ClusterError, ReleaseError, SmokeError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import Verify

if TYPE_CHECKING:
    from todo_release.environments.rollout.causes import RolloutFailure
    from todo_release.environments.smoke.checks import CheckResult


@dataclass(frozen=True, slots=True)
class VerifyHandler:
    """Runs the smoke checks of release.yaml against the environment's URL."""

    context: ReleaseContext
    run_smoke: RunSmoke
    collect_evidence: CollectEvidence

    def check(self, step: Verify) -> StepResult | None:
        """Done when this very deployment is recorded as verified, still runs and is ready."""
        access = self.context.reach(step.environment)
        with prepare(
            self.context.repository,
            self.context.config,
            step.environment,
            step.version,
            self.context.commit_of(step.version),
        ) as deployment:
            running = running_in(access)
            if running is None or not running.is_deployed(deployment.id) or not running.is_ready:
                return None
            if not records_of.is_revision_verified(access.records.read(), running.revision):
                return None
        return {"checks": 0}

    def do(self, step: Verify, say: Say) -> StepResult:
        """Run the checks when only this version answers, and record the verdict; a version that fails is
        taken back.

        Raises:
            SmokeError: a check fails, or something else was deployed meanwhile.
        """
        access = self.context.reach(step.environment)
        running = running_in(access)
        if running is None or running.version != step.version:
            raise SmokeError(
                f"{step.environment} runs {running.version if running else 'nothing'}, not {step.version}.",
                remedy=f"Run `inv deploy --env {step.environment} --version {step.version}`.",
            )
        drain(access.cluster, access.settings.namespace, on_wait=partial(say, is_note=True))
        began = time.monotonic()
        results = self.run_smoke(self.context.config.smoke_of(step.environment), access.settings.url, say)
        seconds = time.monotonic() - began
        failed = [result for result in results if not result.is_ok]
        if failed:
            raise self._failed(step, access, running.revision, failed, say)
        access.records.finish(running.revision, "verified", seconds={"verify": seconds})
        return {"checks": len(results), "verify_seconds": seconds}

    def _failed(
        self, step: Verify, access: Access, revision: int, failed: "list[CheckResult]", say: Say
    ) -> ReleaseError:
        """Take the version back and return the error, with what the pods tell and the evidence of before."""
        told = [f"{one.name}: {one.detail}" for one in failed]
        failure = _explain(access)
        if failure is not None:
            told.append(f"{failure.object}: {failure.message} [{failure.cause.id}]")
        folder = release_folder.evidence_folder(self.context.repository.root, access.name, step.version)
        error = SmokeError(
            f"{step.environment} does not answer as it should: {'; '.join(told)}.",
            remedy=failure.remedy if failure else "Read the logs in the evidence and correct the cause.",
            evidence=str(self.collect_evidence(access.cluster, access.settings.namespace, folder)),
        )
        done = restore.fail(self.context, access, revision, error, say)
        say(done, is_note=True)
        error.add_note(done)
        return error


def _explain(access: Access) -> "RolloutFailure | None":
    """What is wrong with the pods, if anything is and the cluster tells."""
    workloads = workloads_of(access.helm.manifest(access.settings.release))
    try:
        return explain(access.cluster.snapshot(access.settings.namespace, workloads))
    except ClusterError:
        return None
