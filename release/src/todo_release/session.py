"""Wires a command's connections to the outside world: configuration, repository, registry, clusters, people.

Imports that cost time stand where they are needed: what a command does not use it does not load.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_release.config import loader

if TYPE_CHECKING:
    from todo_release.adapters.docker_engine import ContainerEngine
    from todo_release.adapters.github import GitHub
    from todo_release.adapters.kubernetes.client import Cluster
    from todo_release.adapters.registry.client import Registry
    from todo_release.adapters.registry.credentials import Credentials
    from todo_release.artifacts.chart import ImageReference
    from todo_release.config.model import Config, SmokeSettings
    from todo_release.config.overrides import Overrides
    from todo_release.core.progress import Say
    from todo_release.environments.diagnosis.evidence import CollectEvidence
    from todo_release.environments.drift import Edit, FindDrift
    from todo_release.environments.environment import Access, ReleaseContext
    from todo_release.environments.pull_access import CheckPullAccess
    from todo_release.environments.smoke.checks import CheckResult, RunSmoke
    from todo_release.pipeline.events import Listener
    from todo_release.pipeline.plan import Plan
    from todo_release.pipeline.runner import Handler, Lock
    from todo_release.pipeline.steps import Step
    from todo_release.preflight.checks.workflows import Parse
    from todo_release.preflight.inspection import Inspect, Inspection
    from todo_release.report.reporter import Output, Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a command runs: `is_agreed` answers every question with yes; `can_wait` waits for another's
    lock; `skip` are checks whose errors do not stop it, as `CHECK=REASON`; `parse` says what is wrong with
    arguments for the tasks.
    """

    overrides: "Overrides | None" = None
    output: "Output" = "auto"
    is_agreed: bool = False
    can_wait: bool = True
    skip: tuple[str, ...] = ()
    parse: "Parse | None" = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's connections: all of the outside world that plans are made from and steps work on."""

    context: "ReleaseContext"
    registry: "Registry"
    container_engine: "Callable[[], ContainerEngine]"
    lock_for: "Callable[[str, str, Say], Lock]"
    run_smoke: "RunSmoke"
    collect_evidence: "CollectEvidence"
    check_pull_access: "CheckPullAccess"
    inspect: "Inspect"
    find_drift: "FindDrift"
    ask: Callable[[str], bool]
    reporter: "Reporter"
    github: "GitHub | None" = None

    def release(self, version: str, last: str | None = None) -> "Plan":
        """The plan of a release to every environment, or up to `last`; only then is it announced."""
        from todo_release.pipeline.plan import plan_release
        from todo_release.pipeline.survey import survey

        order = self.context.config.deploy_order(last)
        github = self.github if len(order) == len(self.context.config.environments) else None
        return plan_release(survey(self.context, self.registry, version, order, github), version)

    def promotion(self, version: str) -> "Plan":
        """The plan of a deployment to every environment that requires another one.

        Raises:
            ConfigError: no environment does.
        """
        from todo_release.errors import ConfigError

        config = self.context.config
        demanding = [name for name in config.deploy_order() if config.environment(name).requires]
        if not demanding:
            raise ConfigError(
                "No environment requires another one, so there is nothing to promote to.",
                remedy="Use `inv deploy --env ENV`, or give an environment `requires` in release.yaml.",
            )
        return self.deployment(version, demanding)

    def deployment(self, version: str, environments: Sequence[str]) -> "Plan":
        """The plan of a deployment."""
        from todo_release.pipeline.plan import plan_deployment
        from todo_release.pipeline.survey import survey

        return plan_deployment(survey(self.context, self.registry, version, environments), version)

    def rollback(self, environment: str, version: str | None, service: str | None = None) -> "Plan":
        """The plan of a rollback, of everything or of one service's image."""
        from todo_release.pipeline import rollback

        return rollback.plan(rollback.survey(self.context, self.registry, environment, version, service))

    def preflight(self, environment: str, version: str | None) -> "Inspection":
        """Look for what would fail in an environment, for a version or for the work tree as it is."""
        self.context.config.environment(environment)
        return self.inspect(environment, version)

    def run(self, plan: "Plan", listener: "Listener") -> None:
        """Run a plan."""
        from todo_release.pipeline.journal import Journal
        from todo_release.pipeline.runner import Pipeline

        Pipeline(
            handlers=self._handlers(),
            journal=Journal(self.context.repository.root, plan.version),
            listener=listener,
            lock_for=partial(self.lock_for, plan.version),
            width=self.context.config.parallel_builds,
        ).run(plan)

    def _handlers(self) -> "dict[type[Step], Handler[Any]]":
        from todo_release.pipeline import steps
        from todo_release.pipeline.handlers import publish
        from todo_release.pipeline.handlers.build import BuildHandler
        from todo_release.pipeline.handlers.deploy import DeployHandler
        from todo_release.pipeline.handlers.preflight import PreflightHandler
        from todo_release.pipeline.handlers.verify import VerifyHandler

        repository, config = self.context.repository, self.context.config
        handlers: dict[type[Step], Handler[Any]] = {
            steps.Preflight: PreflightHandler(self.inspect),
            steps.BuildImage: BuildHandler(repository, config, self.registry, self.container_engine),
            steps.WriteVersion: publish.WriteVersionHandler(repository, config, self.registry),
            steps.TagCommit: publish.TagHandler(repository, config),
            steps.NameImages: publish.NameImagesHandler(repository, config, self.registry),
            steps.Push: publish.PushHandler(repository),
            steps.Confirm: publish.ConfirmHandler(self.ask),
            steps.Deploy: DeployHandler(
                self.context, self.collect_evidence, self.check_pull_access, self.find_drift, self.ask
            ),
            steps.Verify: VerifyHandler(self.context, self.run_smoke, self.collect_evidence),
        }
        if self.github is not None:
            from todo_release.pipeline.handlers.announce import AnnounceHandler

            handlers[steps.Announce] = AnnounceHandler(repository, config, self.github)
        return handlers


def _container_engine() -> "ContainerEngine":
    from todo_release.adapters.docker_engine import DockerEngine

    return DockerEngine.connect()


def _run_smoke(spec: "SmokeSettings", url: str, say: "Say") -> "list[CheckResult]":
    from todo_release.environments.smoke import checks

    return checks.run(spec, url, on_result=say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What a session reaches and a rehearsal has stand-ins of; `kubeconfig` None is the person's own."""

    kubeconfig: Path | None = None
    container_engine: "Callable[[], ContainerEngine]" = _container_engine
    run_smoke: "RunSmoke" = _run_smoke


REAL_CONNECTIONS = Connections()


def configuration(root: Path, options: Options) -> "Config":
    """release.yaml with what the environment and the options say differently.

    Raises:
        ConfigError: one of them is wrong.
    """
    from todo_release.config.overrides import Overrides, from_environment

    return loader.load(root, (options.overrides or Overrides()).over(from_environment(options.environ)))


@contextmanager
def open_session(
    root: Path, options: Options, reporter: "Reporter", connections: Connections = REAL_CONNECTIONS
) -> Iterator[Session]:
    """Connect to the world as release.yaml and the options say; nothing is sent before it is needed.

    Raises:
        ConfigError: release.yaml or an override is wrong.
    """
    from todo_release.adapters.git import Repository
    from todo_release.adapters.registry.client import Registry
    from todo_release.environments.environment import ReleaseContext
    from todo_release.environments.lock import EnvironmentLock
    from todo_release.report.github_actions import run_url

    config = configuration(root, options)
    repository = Repository(root)
    context = ReleaseContext(
        repository=repository,
        config=config,
        reach=cache(partial(_reach, config, connections.kubeconfig)),
        who=lambda: f"{repository.author()} on {socket.gethostname()}",
        run_url=run_url(options.environ),
    )

    def lock_for(version: str, environment: str, say: "Say") -> EnvironmentLock:
        access = context.reach(environment)
        return EnvironmentLock(
            access.cluster,
            access.settings.namespace,
            holder=context.by,
            version=version,
            url=context.run_url,
            is_waiting=options.can_wait,
            on_wait=partial(say, is_note=True),
        )

    with Registry(config.registry.host, insecure=config.registry.insecure) as registry:
        yield Session(
            context=context,
            registry=registry,
            container_engine=connections.container_engine,
            lock_for=lock_for,
            run_smoke=connections.run_smoke,
            collect_evidence=_collect,
            check_pull_access=partial(_check_pull, config),
            inspect=_inspect(context, registry, options),
            find_drift=_look_for_drift,
            ask=(lambda _: True) if options.is_agreed else reporter.ask,
            reporter=reporter,
            github=_github(config, options.environ),
        )


def _github(config: "Config", environ: Mapping[str, str]) -> "GitHub | None":
    token = environ.get("GITHUB_TOKEN")
    if not token or config.github is None:
        return None
    from todo_release.adapters.github import GitHub

    return GitHub(config.github, token)


def _collect(cluster: "Cluster", namespace: str, folder: Path) -> Path:
    from todo_release.environments.diagnosis import evidence

    return evidence.collect(cluster, namespace, folder)


def _look_for_drift(access: "Access") -> "Sequence[Edit]":
    from todo_release.environments import drift

    return drift.look(access)


def _check_pull(
    config: "Config", access: "Access", manifest: str, images: "Mapping[str, ImageReference]"
) -> int:
    from todo_release.adapters.registry.client import Registry
    from todo_release.environments import pull_access

    settings = config.registry
    connect = partial(Registry, settings.host, insecure=settings.insecure)
    return pull_access.check(
        access, settings, manifest, images, lambda credentials: connect(credentials=credentials)
    )


def _inspect(context: "ReleaseContext", registry: "Registry", options: Options) -> "Inspect":
    """What inspects an environment; what is to be skipped is checked here, before anything is done."""
    skips: Mapping[str, str] = {}
    if options.skip:
        from todo_release.preflight import all_checks

        skips = all_checks.skips(options.skip)
    settings = context.config.registry

    def connect(host: str, credentials: "Credentials | None") -> "Registry":
        from todo_release.adapters.registry.client import Registry

        insecure = settings.insecure and host == settings.host
        return Registry(host, insecure=insecure, credentials=credentials, is_anonymous=credentials is None)

    def inspect(environment: str, version: str | None) -> "Inspection":
        from todo_release.preflight.inspection import LookupSources
        from todo_release.preflight.inspection import inspect as inspected
        from todo_release.preflight.rendering import Drafter

        drafter = Drafter(context, registry, version)
        return inspected(context, drafter, environment, skips, LookupSources(connect, options.parse))

    return inspect


def _reach(config: "Config", kubeconfig: Path | None, name: str) -> "Access":
    from todo_release.adapters.helm.cli import Helm
    from todo_release.adapters.kubernetes.client import Cluster
    from todo_release.environments.environment import Access
    from todo_release.environments.history import Records

    settings = config.environment(name)
    cluster = Cluster.connect(settings.context, kubeconfig)
    return Access(
        name=name,
        settings=settings,
        cluster=cluster,
        helm=Helm(settings.context, settings.namespace, kubeconfig, cluster=cluster),
        records=Records(cluster, settings.namespace, settings.release),
    )
