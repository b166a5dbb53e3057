"""What a person asks of the engine, one function a command; each returns the exit code of the program.

Everything is wired here: configuration, adapters, handlers, reporter. Imports that cost time stand where they
are needed, so that listing the commands loads none of them.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_release.errors import INTERRUPTED, ReleaseError

if TYPE_CHECKING:
    from todo_release.environments import Access, Operator
    from todo_release.overrides import Overrides
    from todo_release.pipeline import Handler
    from todo_release.plan import Plan
    from todo_release.registry import Registry
    from todo_release.report.actions import Summary
    from todo_release.report.reporter import Output, Reporter
    from todo_release.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a command runs: `is_agreed` answers every question with yes; `can_wait` waits for another's
    lock.
    """

    overrides: "Overrides | None" = None
    output: "Output" = "auto"
    is_agreed: bool = False
    can_wait: bool = True
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def release(root: Path, version: str, options: Options, *, is_dry_run: bool = False) -> int:
    """Release the work tree as a version to every environment; with `is_dry_run`, show the plan."""
    return _run(root, options, lambda session: session.release(version), is_dry_run=is_dry_run)


def deploy(root: Path, version: str, environment: str, options: Options, *, is_dry_run: bool = False) -> int:
    """Bring a version that is released already to one environment; with `is_dry_run`, show the plan."""
    return _run(
        root, options, lambda session: session.deployment(version, environment), is_dry_run=is_dry_run
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's connections."""

    operator: "Operator"
    registry: "Registry"
    reporter: "Reporter"
    options: Options

    def release(self, version: str) -> "Plan":
        """The plan of a release."""
        from todo_release.plan import plan_release
        from todo_release.survey import survey

        order = self.operator.config.deploy_order()
        return plan_release(survey(self.operator, self.registry, version, order), version)

    def deployment(self, version: str, environment: str) -> "Plan":
        """The plan of a deployment."""
        from todo_release.plan import plan_deployment
        from todo_release.survey import survey

        return plan_deployment(survey(self.operator, self.registry, version, [environment]), version)

    def run(self, plan: "Plan", listener: Callable[[Any], None]) -> None:
        """Run a plan."""
        from todo_release.journal import Journal
        from todo_release.pipeline import Pipeline

        Pipeline(
            handlers=self._handlers(),
            journal=Journal(self.operator.repository.root, plan.version),
            listener=listener,
            lock=self._lock(plan.version),
        ).run(plan)

    def _handlers(self) -> "dict[type[Step], Handler[Any]]":
        from todo_release import publishing, steps
        from todo_release.deploying import DeployHandler
        from todo_release.docker_engine import DockerEngine
        from todo_release.images import BuildHandler
        from todo_release.verifying import VerifyHandler

        repository, config = self.operator.repository, self.operator.config
        ask: Callable[[str], bool] = (lambda _: True) if self.options.is_agreed else self.reporter.ask
        return {
            steps.BuildImage: BuildHandler(repository, config, self.registry, cache(DockerEngine.connect)),
            steps.WriteVersion: publishing.WriteVersionHandler(repository, config, self.registry),
            steps.TagCommit: publishing.TagHandler(repository),
            steps.NameImages: publishing.NameImagesHandler(repository, config, self.registry),
            steps.Push: publishing.PushHandler(repository),
            steps.Confirm: publishing.ConfirmHandler(ask),
            steps.Deploy: DeployHandler(self.operator),
            steps.Verify: VerifyHandler(self.operator),
        }

    def _lock(self, version: str) -> Callable[[str], AbstractContextManager[object]]:
        from todo_release.lock import EnvironmentLock

        def lock(name: str) -> AbstractContextManager[object]:
            access = self.operator.reach(name)
            return EnvironmentLock(
                access.cluster,
                access.settings.namespace,
                holder=self.operator.by,
                version=version,
                url=self.operator.run_url,
            )

        return lock


def _run(root: Path, options: Options, make_plan: "Callable[[Session], Plan]", *, is_dry_run: bool) -> int:
    from todo_release.report.actions import annotate
    from todo_release.report.reporter import choose

    reporter = choose(options.output, options.environ)
    summary = _summary(options.environ)

    def listen(event: Any) -> None:
        reporter(event)
        if summary is not None:
            summary(event)

    try:
        with _session(root, options, reporter) as session:
            plan = make_plan(session)
            if is_dry_run:
                reporter.plan(plan)
                return plan.refusals[0].code if plan.refusals else 0
            session.run(plan, listen)
    except ReleaseError as error:
        reporter.failed(error)
        if options.environ.get("GITHUB_ACTIONS"):
            annotate(error)
        if summary is not None:
            summary.write(error)
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        reporter.close()
    if summary is not None:
        summary.write(None)
    return 0


def _summary(environ: Mapping[str, str]) -> "Summary | None":
    from todo_release.report.actions import Summary

    path = environ.get("GITHUB_STEP_SUMMARY")
    return Summary(Path(path)) if path else None


@contextmanager
def _session(root: Path, options: Options, reporter: "Reporter") -> Iterator[Session]:
    from todo_release import config as configuration
    from todo_release.environments import Operator
    from todo_release.git import Repository
    from todo_release.overrides import Overrides, from_environment
    from todo_release.registry import Registry
    from todo_release.report.actions import run_url

    overrides = (options.overrides or Overrides()).over(from_environment(options.environ))
    config = configuration.load(root, overrides)
    repository = Repository(root)

    @cache
    def reach(name: str) -> "Access":
        from todo_release.environments import Access
        from todo_release.helm import Helm
        from todo_release.kube import Cluster
        from todo_release.records import Records

        settings = config.environment(name)
        cluster = Cluster.connect(settings.context)
        return Access(
            name=name,
            settings=settings,
            cluster=cluster,
            helm=Helm(settings.context, settings.namespace),
            records=Records(cluster, settings.namespace, settings.release),
        )

    operator = Operator(
        repository=repository,
        config=config,
        reach=reach,
        by=f"{repository.author()} on {socket.gethostname()}",
        run_url=run_url(options.environ),
    )
    with Registry(config.registry.host, insecure=config.registry.insecure) as registry:
        yield Session(operator=operator, registry=registry, reporter=reporter, options=options)
