"""Connects a command to the outside world: configuration, repository, registry, clusters, people.

A session makes plans and runs them. Imports inside functions are for modules that load slow packages which
most commands do not need: preflight (100 ms), and the smoke checks and GitHub (httpx2, 80 ms).
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_release.adapters.docker_engine import ContainerEngine, DockerEngine
from todo_release.adapters.git import Repository
from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.registry.client import Registry
from todo_release.artifacts.chart import ImageReference
from todo_release.config import loader
from todo_release.config.model import Config, RegistrySettings, SmokeSettings
from todo_release.config.overrides import Overrides, from_environment
from todo_release.core.fence import Fence
from todo_release.core.progress import ProgressCallback
from todo_release.core.release_folder import RELEASE_FOLDER
from todo_release.environments import life_sign, lock, pull_access
from todo_release.environments.deviations import DeviationFinder, FindDeviations
from todo_release.environments.diagnosis.evidence import CollectEvidence, collect_evidence
from todo_release.environments.drift import FindDrift, find_drift
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.health.traffic_before import TrafficBefore
from todo_release.environments.history import RecordStore
from todo_release.environments.lock import EnvironmentLock
from todo_release.environments.pull_access import CheckPullAccess
from todo_release.environments.record_repair import RecordRepair
from todo_release.environments.release_marks import ReleaseMarks
from todo_release.environments.smoke.builds import FindBuilds, find_builds
from todo_release.errors import ConfigError
from todo_release.pipeline import rollback, saved_plan, steps
from todo_release.pipeline.events import Listener, RunEvent, StepStarted
from todo_release.pipeline.facts import ReleaseFacts
from todo_release.pipeline.handlers import publish
from todo_release.pipeline.handlers.announce import AnnounceHandler
from todo_release.pipeline.handlers.build import BuildHandler
from todo_release.pipeline.handlers.deploy import DeployHandler
from todo_release.pipeline.handlers.preflight import PreflightHandler
from todo_release.pipeline.handlers.push import PushHandler
from todo_release.pipeline.handlers.verify import VerifyHandler
from todo_release.pipeline.handlers.watch_health import WatchHealthHandler
from todo_release.pipeline.journal import Journal
from todo_release.pipeline.plan import Plan, plan_deployment, plan_release
from todo_release.pipeline.runner import PlanRunner, StepHandler, StepLock
from todo_release.pipeline.saved_plan import PlanRequest, SavedPlan
from todo_release.pipeline.steps import Step
from todo_release.pipeline.survey import survey
from todo_release.preflight.inspector import make_inspector
from todo_release.report.github_actions import run_url
from todo_release.report.reporter import Output, Reporter

if TYPE_CHECKING:
    from todo_release.adapters.github import GitHub
    from todo_release.environments.smoke.checks import RunSmoke
    from todo_release.environments.smoke.result import CheckResult, SmokeTarget
    from todo_release.preflight.checks.workflows import Parse
    from todo_release.preflight.inspection import Inspect, Inspection


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """How a command runs.

    Attributes:
        is_agreed: Answers every question with yes, except whether edits made by hand may be overwritten.
        overwrites_edits: Answers that question with yes.
        can_wait: Waits while somebody else holds an environment's lock, instead of failing.
        skip: Preflight checks whose errors do not stop the command, as `CHECK=REASON`.
        parse: Returns what is wrong with arguments of the tasks, None if nothing is.
    """

    overrides: Overrides | None = None
    output: Output = "auto"
    is_agreed: bool = False
    overwrites_edits: bool = False
    can_wait: bool = True
    skip: tuple[str, ...] = ()
    parse: "Parse | None" = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The connections of one command: everything that plans are made from and that steps change."""

    context: ReleaseContext
    registry: Registry
    container_engine: Callable[[], ContainerEngine]
    lock_for: Callable[[str, str, ProgressCallback], StepLock]
    run_smoke: "RunSmoke"
    collect_evidence: CollectEvidence
    check_pull_access: CheckPullAccess
    inspect: "Inspect"
    find_drift: FindDrift
    find_deviations: FindDeviations
    find_builds: FindBuilds
    ask: Callable[[str], bool]
    ask_to_overwrite: Callable[[str], bool]
    reporter: Reporter
    github: "GitHub | None" = None

    def plan_release(self, version: str, last: str | None = None, *, allows_downgrade: bool = False) -> Plan:
        """Plans a release to every environment, or up to `last`; only a full release is announced."""
        facts = self._survey(version, self.context.config.deploy_order(last))
        return plan_release(facts, version, allows_downgrade=allows_downgrade)

    def plan_promotion(self, version: str, *, allows_downgrade: bool = False) -> Plan:
        """Plans a deployment to every environment that requires another one.

        Raises:
            ConfigError: no environment does.
        """
        config = self.context.config
        targets = [name for name in config.deploy_order() if config.environment(name).requires]
        if not targets:
            raise ConfigError(
                "No environment requires another one, so there is nothing to promote to.",
                remedy="Use `inv deploy --env ENV`, or give an environment `requires` in release.yaml.",
            )
        return self.plan_deployment(version, targets, allows_downgrade=allows_downgrade)

    def plan_deployment(
        self, version: str, environments: Sequence[str], *, allows_downgrade: bool = False
    ) -> Plan:
        """Plans the deployment of a released version; the last environment's is announced."""
        facts = self._survey(version, environments)
        return plan_deployment(facts, version, allows_downgrade=allows_downgrade)

    def plan(self, request: PlanRequest) -> Plan:
        """Plans what a request asks for."""
        if request.environment is not None:
            return self.plan_deployment(
                request.version, [request.environment], allows_downgrade=request.allows_downgrade
            )
        return self.plan_release(request.version, request.last, allows_downgrade=request.allows_downgrade)

    def save(self, plan: Plan, request: PlanRequest, file: Path) -> None:
        """Saves a plan, so that it runs exactly as it was shown or not at all.

        Raises:
            JournalError: the file cannot be written.
        """
        saved_plan.write(file, SavedPlan.of(plan, request, self.context.config))

    def load(self, file: Path) -> Plan:
        """Plans again what a saved plan asks for, and returns the plan if it is still the same.

        Raises:
            JournalError: the file is not a saved plan of this application.
            StalePlanError: the plan would be another one now.
        """
        saved = saved_plan.read(file, self.context.config.name)
        plan = self.plan(saved.request)
        saved.check(SavedPlan.of(plan, saved.request, self.context.config), plan)
        return plan.as_agreed()

    def _survey(self, version: str, environments: Sequence[str]) -> ReleaseFacts:
        """Reads the facts; the version is announced once the last environment has it."""
        is_last = self.context.config.deploy_order()[-1] in environments
        github = self.github if is_last else None
        return survey(
            self.context,
            self.registry,
            version,
            environments,
            github,
            find_deviations=self.find_deviations,
            inspect=self.inspect,
        )

    def plan_rollback(self, environment: str, version: str | None, service: str | None = None) -> Plan:
        """Plans a rollback, of everything or of the image of one service."""
        return rollback.plan(rollback.survey(self.context, self.registry, environment, version, service))

    def run_preflight(self, environment: str, version: str | None) -> "Inspection":
        """Finds what would fail in an environment, for a version or for the work tree as it is."""
        self.context.config.environment(environment)
        return self.inspect(environment, version)

    def run(self, plan: Plan, listener: Listener) -> None:
        """Runs a plan."""
        traffic_before = TrafficBefore(self.context.config.watch_of, self.context.connect)

        def listen(event: RunEvent) -> None:
            match event:
                case StepStarted(steps.RunPreflight() as step):
                    traffic_before.begin(step.environment)
                case StepStarted(steps.Deploy() as step):
                    traffic_before.end(step.environment)
            listener(event)

        PlanRunner(
            handlers=self._handlers(traffic_before),
            journal=Journal(self.context.repository.root, plan.version, on_note=warn),
            listener=listen,
            lock_for=partial(self.lock_for, plan.version),
            width=self.context.config.parallel_builds,
        ).run(plan)

    def _handlers(self, traffic_before: TrafficBefore) -> dict[type[Step], StepHandler[Any]]:
        repository, config = self.context.repository, self.context.config
        handlers: dict[type[Step], StepHandler[Any]] = {
            steps.RunPreflight: PreflightHandler(self.inspect),
            steps.BuildImage: BuildHandler(repository, config, self.registry, self.container_engine),
            steps.WriteVersion: publish.WriteVersionHandler(repository, config, self.registry),
            steps.TagCommit: publish.TagHandler(repository, config),
            steps.TagImages: publish.TagImagesHandler(repository, config, self.registry),
            steps.Push: PushHandler(repository, config, self.registry),
            steps.Confirm: publish.ConfirmHandler(self.ask),
            steps.Deploy: DeployHandler(
                self.context,
                self.collect_evidence,
                self.check_pull_access,
                self.find_drift,
                self.ask_to_overwrite,
                self.find_deviations,
            ),
            steps.Verify: VerifyHandler(
                self.context,
                self.run_smoke,
                self.collect_evidence,
                self.find_deviations,
                self.find_builds,
            ),
            steps.WatchHealth: WatchHealthHandler(
                self.context, self.run_smoke, self.collect_evidence, self.find_builds, traffic_before
            ),
        }
        if self.github is not None:
            handlers[steps.Announce] = AnnounceHandler(repository, config, self.github)
        return handlers


def _run_smoke(settings: SmokeSettings, target: "SmokeTarget", say: ProgressCallback) -> "list[CheckResult]":
    from todo_release.environments.smoke import checks

    return checks.run(settings, target, on_result=say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The outside world of a session that a rehearsal replaces.

    `kubeconfig` None means the files that kubectl would read. `unreachable` says which registries of others
    did not answer in earlier sessions, with the reason; None means that none was asked. `real_registry` is
    the registry of real releases, where the session's own stands in for it.
    """

    kubeconfig: Path | None = None
    unreachable: MutableMapping[str, str] | None = None
    real_registry: RegistrySettings | None = None
    container_engine: Callable[[], ContainerEngine] = DockerEngine.connect
    run_smoke: "RunSmoke" = _run_smoke


REAL_CONNECTIONS = Connections()


def load_configuration(root: Path, options: CommandOptions) -> Config:
    """Returns release.yaml with the overrides of the environment variables and the options.

    Raises:
        ConfigError: one of them is wrong.
    """
    return loader.load(root, (options.overrides or Overrides()).over(from_environment(options.environ)))


@contextmanager
def open_session(
    root: Path, options: CommandOptions, reporter: Reporter, connections: Connections = REAL_CONNECTIONS
) -> Iterator[Session]:
    """Opens a session for release.yaml and the options; nothing is sent before it is needed.

    Raises:
        ConfigError: release.yaml or an override is wrong.
    """
    config = load_configuration(root, options)
    repository = Repository(root)
    context = ReleaseContext(
        repository=repository,
        config=config,
        connect=cache(partial(_connect, config, connections.kubeconfig)),
        read_actor=lambda: f"{repository.author()} on {socket.gethostname()}",
        run_url=run_url(options.environ),
        mark=ReleaseMarks(config.name, config.marks, options.environ),
    )
    with Registry(config.registry.host, insecure=config.registry.insecure) as registry:
        yield Session(
            context=context,
            registry=registry,
            container_engine=connections.container_engine,
            lock_for=_lock_factory(context, connections.kubeconfig, options.can_wait),
            run_smoke=connections.run_smoke,
            collect_evidence=collect_evidence,
            check_pull_access=partial(_check_pull_access, config),
            inspect=make_inspector(
                context,
                registry,
                skip=options.skip,
                parse=options.parse,
                unreachable=connections.unreachable,
                real_registry=connections.real_registry,
            ),
            find_drift=find_drift,
            find_deviations=DeviationFinder(config, registry, find_drift, context.now),
            find_builds=partial(find_builds, config, registry),
            ask=(lambda _: True) if options.is_agreed else reporter.ask,
            ask_to_overwrite=(lambda _: True) if options.overwrites_edits else reporter.ask,
            reporter=reporter,
            github=_github(config, options.environ),
        )


def warn(text: str) -> None:
    """Tells people something that stops nothing; not on the standard output, which programs read."""
    print(f"note: {text}", file=sys.stderr)  # noqa: T201  # no reporter knows of it


def _connect(config: Config, kubeconfig: Path | None, name: str) -> EnvironmentAccess:
    settings = config.environment(name)
    fence = Fence()
    cluster = Cluster.connect(settings.context, kubeconfig, fence=fence)
    helm = Helm(settings.context, settings.namespace, kubeconfig, cluster=cluster, fence=fence)
    images = {image: config.registry.reference(image) for image in config.images}
    return EnvironmentAccess(
        name=name,
        settings=settings,
        cluster=cluster,
        fence=fence,
        helm=helm,
        records=RecordStore(
            cluster,
            settings.namespace,
            settings.release,
            repair=RecordRepair(helm, settings.release, images),
            on_note=warn,
        ),
    )


def _lock_factory(
    context: ReleaseContext, kubeconfig: Path | None, can_wait: bool
) -> Callable[[str, str, ProgressCallback], EnvironmentLock]:
    """Returns the function that makes the lock of an environment for a version."""

    def lock_for(version: str, environment: str, say: ProgressCallback) -> EnvironmentLock:
        access = context.connect(environment)
        settings = access.settings
        return EnvironmentLock(
            Cluster.connect(settings.context, kubeconfig, request_seconds=lock.REQUEST_SECONDS),
            settings.namespace,
            holder=context.actor,
            version=version,
            run_url=context.run_url,
            is_waiting=can_wait,
            on_wait=partial(say, is_note=True),
            fence=access.fence,
            life_signs=context.repository.root / RELEASE_FOLDER / life_sign.FOLDER,
        )

    return lock_for


def _github(config: Config, environ: Mapping[str, str]) -> "GitHub | None":
    token = environ.get("GITHUB_TOKEN")
    if not token or config.github is None:
        return None
    from todo_release.adapters.github import GitHub

    return GitHub(config.github, token)


def _check_pull_access(
    config: Config, access: EnvironmentAccess, manifest: str, images: Mapping[str, ImageReference]
) -> int:
    settings = config.registry
    connect = partial(Registry, settings.host, insecure=settings.insecure)
    return pull_access.check_pull_access(
        access, settings, manifest, images, lambda credentials: connect(credentials=credentials)
    )
