"""Watches a verified version, and restores the earlier one when its pods fail.

An interrupted watch starts again: the counters of new pods count from zero, so it sees what came before,
unless the deployment is old (`health.deployment_watch`).
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import namespaces_of
from todo_release.adapters.kubernetes.retry import retried
from todo_release.artifacts.deployment import prepare_deployment
from todo_release.core import release_folder
from todo_release.core.masking import mask_log
from todo_release.core.progress import ProgressCallback
from todo_release.environments import history as deployment_history
from todo_release.environments import restore
from todo_release.environments.diagnosis.evidence import CollectEvidence
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.health.deployment_watch import MakeTraffic, watch_deployment
from todo_release.environments.health.judge import HealthVerdict
from todo_release.environments.health.traffic_before import TrafficBefore
from todo_release.environments.history import DeploymentResult
from todo_release.environments.smoke.builds import FindBuilds
from todo_release.environments.smoke.result import SmokeTarget
from todo_release.environments.status import RunningVersion, read_running_version
from todo_release.errors import HealthError, ReleaseError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import WatchHealth

if TYPE_CHECKING:
    from todo_release.environments.smoke.checks import RunSmoke

EVIDENCE_FILE = "watch.txt"


@dataclass(frozen=True, slots=True)
class WatchHealthHandler:
    """Watches the pods of a version as `watch` of release.yaml says."""

    context: ReleaseContext
    run_smoke: "RunSmoke"
    collect_evidence: CollectEvidence
    find_builds: FindBuilds
    traffic_before: TrafficBefore

    def check(self, step: WatchHealth) -> StepResult | None:
        """Returns a result, if exactly this deployment runs here and was watched to the end."""
        access = self.context.connect(step.environment)
        with prepare_deployment(
            self.context.repository,
            self.context.config,
            step.environment,
            step.version,
            self.context.commit_of(step.version),
        ) as deployment:
            running = read_running_version(access)
            if running is None or not running.is_deployed(deployment.id):
                return None
        records = access.records.read()
        return {} if deployment_history.is_revision_watched(records, running.revision) else None

    def do(self, step: WatchHealth, say: ProgressCallback) -> StepResult:
        """Watches and records the verdict; only a failing version is taken back.

        Raises:
            HealthError: something else was deployed meanwhile, or the version fails; then the earlier one was
                restored.
        """
        access = self.context.connect(step.environment)
        running = retried(partial(read_running_version, access))
        if running is None or running.version != step.version:
            raise HealthError(
                f"{step.environment} runs {running.version if running else 'nothing'}, not {step.version}.",
                remedy=f"Run `inv deploy --env {step.environment} --version {step.version}`.",
            )
        told: list[str] = []

        def tell(text: str, *, is_note: bool = False) -> None:
            told.append(text)
            say(text, is_note=is_note)

        settings = self.context.config.watch_of(step.environment)
        traffic = self._traffic(access, running, tell) if settings.smoke_seconds else None
        verdict, seconds = watch_deployment(
            access,
            running,
            settings,
            minutes=step.minutes,
            now=self.context.now(),
            make_traffic=traffic,
            say=tell,
            before=self.traffic_before.counts(step.environment),
        )
        tell(f"{verdict.health.value}: {verdict.text}", is_note=True)
        result: DeploymentResult = "failed" if verdict.is_failing else "verified"
        record = partial(access.records.finish, running.revision, result, seconds={"watch": seconds})
        if verdict.is_failing:
            with suppress(ReleaseError):  # `restore` records it again, and says what it could not record
                record(watch=verdict.health.value)
            raise self._undo(access, running, verdict, told, say=say)
        record(watch=verdict.health.value)
        return {"health": verdict.health.value, "watch_seconds": round(seconds, 1)}

    def _traffic(
        self, access: EnvironmentAccess, running: RunningVersion, say: ProgressCallback
    ) -> MakeTraffic:
        """Returns a function that runs the smoke checks once; what they find shows in the pods' counters."""
        smoke = self.context.config.smoke_of(access.name)
        records = retried(access.records.read)
        digests = next((record.digests for record in records if record.revision == running.revision), {})
        root, url = self.context.repository.root, access.settings.url
        target = SmokeTarget(url, running.version, root, self.find_builds(smoke, digests))
        once = smoke.model_copy(update={"timeout_seconds": 0.0})

        def make() -> None:
            for result in self.run_smoke(once, target, lambda _, is_note=False: None):
                if not result.is_ok:
                    say(f"smoke check {result.name}: {result.detail}", is_note=True)

        return make

    def _undo(
        self,
        access: EnvironmentAccess,
        running: RunningVersion,
        verdict: HealthVerdict,
        told: list[str],
        *,
        say: ProgressCallback,
    ) -> ReleaseError:
        """Restores the earlier version and returns the error, with the evidence."""
        folder = release_folder.evidence_folder(self.context.repository.root, access.name, running.version)
        namespaces = namespaces_of(running.manifest, access.settings.namespace)
        evidence = self.collect_evidence(access.cluster, namespaces, folder)
        with suppress(OSError):  # a full disk prevents no rollback
            _write(evidence / EVIDENCE_FILE, told)
        error = HealthError(
            f"{running.version} passed its checks in {access.name} and then failed: {verdict.text}.",
            remedy="Find the cause in the logs of the evidence, correct it, and release the next version. "
            "See docs/runbooks/failing-after-release.md.",
            evidence=str(evidence),
        )
        done = restore.restore_after_failure(self.context, access, running.revision, error, say)
        say(done, is_note=True)
        error.add_note(done)
        return error


def _write(path: Path, lines: list[str]) -> None:
    release_folder.create(path.parent)
    path.write_text(mask_log("".join(f"{line}\n" for line in lines)), encoding="utf-8")
