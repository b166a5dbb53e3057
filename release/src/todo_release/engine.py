"""What a person asks of the engine, one function a command; each returns the exit code of the program.

Everything is wired here: configuration, adapters, handlers, reporter. Imports that cost time stand where they
are needed, so that listing the commands loads none of them.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from todo_release.errors import INTERRUPTED, ReleaseError

if TYPE_CHECKING:
    from todo_release.config import Config, Smoke
    from todo_release.deploying import Collect
    from todo_release.docker_engine import DockerEngine
    from todo_release.environments import Access, Operator
    from todo_release.events import Event, Listener
    from todo_release.kube import Cluster
    from todo_release.overrides import Overrides
    from todo_release.pipeline import Handler, Lock, Say
    from todo_release.plan import Plan
    from todo_release.registry import Registry
    from todo_release.report.actions import Summary
    from todo_release.report.reporter import Output, Reporter
    from todo_release.smoke import CheckResult
    from todo_release.steps import Step
    from todo_release.verifying import Judge


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


def options(
    *,
    config: Sequence[str] = (),
    registry: str | None = None,
    context: str | None = None,
    variables: Mapping[str, str | None] | None = None,
    values: Sequence[str] = (),
    output: "Output" = "auto",
    yes: bool = False,
    wait: bool = True,
) -> Options:
    """Options from what a command line says; None and empty mean nothing was said.

    `config` are partial release.yaml files, `variables` go over those of release.yaml, `values` are extra
    values files as `ENVIRONMENT=PATH`. Relative paths are relative to the current folder.

    Raises:
        SystemExit: an item of `values` has another form.
    """
    from todo_release.overrides import Overrides

    files: dict[str, tuple[str, ...]] = {}
    for item in values:
        environment, equals, path = item.partition("=")
        if not equals:
            raise SystemExit(f"--values {item}: write ENVIRONMENT=PATH")
        files[environment] = (*files.get(environment, ()), str(Path(path).resolve()))
    overrides = Overrides(
        files=tuple(Path(path) for path in config),
        registry=registry or None,
        context=context or None,
        variables={name: value for name, value in (variables or {}).items() if value},
        values=files,
    )
    return Options(overrides=overrides, output=output, is_agreed=yes, can_wait=wait)


def release(root: Path, version: str, options: Options, *, is_dry_run: bool = False) -> int:
    """Release the work tree as a version to every environment; with `is_dry_run`, show the plan."""
    return _run(root, options, lambda session: session.release(version), is_dry_run=is_dry_run)


def deploy(root: Path, version: str, environment: str, options: Options, *, is_dry_run: bool = False) -> int:
    """Bring a version that is released already to one environment; with `is_dry_run`, show the plan."""
    return _run(
        root,
        options,
        lambda session: session.deployment(version, environment),
        is_dry_run=is_dry_run,
    )


def rollback(
    root: Path, environment: str, options: Options, *, version: str | None = None, is_dry_run: bool = False
) -> int:
    """Bring an environment back to a version that was verified there, by default the last one before."""
    return _run(
        root,
        options,
        lambda session: session.rollback(environment, version),
        is_dry_run=is_dry_run,
    )


def verify(root: Path, environment: str, options: Options) -> int:
    """Run the smoke checks of an environment and show what each saw; nothing is recorded or undone."""
    return _answer(root, options, lambda session: session.verify(environment))


def status(root: Path, options: Options) -> int:
    """Show what runs in every environment."""

    def show(session: Session) -> int:
        from todo_release import inquiries

        for table in inquiries.status(session.operator):
            session.reporter.show(table)
        return 0

    return _answer(root, options, show)


def history(root: Path, environment: str, options: Options) -> int:
    """Show what was deployed to an environment."""

    def show(session: Session) -> int:
        from todo_release import inquiries

        session.reporter.show(inquiries.history(session.operator, environment))
        return 0

    return _answer(root, options, show)


def diagnose(root: Path, environment: str, options: Options) -> int:
    """Show what keeps an environment from being ready, if anything does, and keep the evidence.

    The exit code is that of the cause, 0 when everything is ready.
    """

    def show(session: Session) -> int:
        from todo_release import troubles

        found = troubles.diagnose(session.operator, environment, session.collect)
        session.reporter.show(found.workloads)
        session.reporter.say(f"Evidence: {found.evidence}")
        if found.error is not None:
            raise found.error
        return 0

    return _answer(root, options, show)


def logs(
    root: Path, environment: str, options: Options, *, service: str | None = None, lines: int = 100
) -> int:
    """Show the last lines of the pods of a service, or of all."""

    def show(session: Session) -> int:
        from todo_release import troubles

        for line in troubles.logs(session.operator, environment, service, lines=lines):
            session.reporter.say(line)
        return 0

    return _answer(root, options, show)


def version(root: Path, options: Options, *, kind: str | None = None, is_next: bool = False) -> int:
    """Show the versions; with `kind` or `is_next`, only the next version, as a bare line for scripts."""

    def show(session: Session) -> int:
        from todo_release import inquiries

        if kind is None and not is_next:
            session.reporter.show(inquiries.version(session.operator))
        else:
            session.reporter.say(str(inquiries.following(session.operator, kind)))
        return 0

    return _answer(root, options, show)


def news(root: Path, options: Options) -> int:
    """Show what the changelog will say of the next version."""

    def show(session: Session) -> int:
        from todo_release import inquiries

        session.reporter.say(inquiries.news(session.operator))
        return 0

    return _answer(root, options, show)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's connections: all of the outside world that plans are made from and steps work on."""

    operator: "Operator"
    registry: "Registry"
    container_engine: Callable[[], "DockerEngine"]
    lock_for: "Callable[[str, str, Say], Lock]"
    judge: "Judge"
    collect: "Collect"
    ask: Callable[[str], bool]
    reporter: "Reporter"

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

    def rollback(self, environment: str, version: str | None) -> "Plan":
        """The plan of a rollback."""
        from todo_release import rollback

        return rollback.plan(rollback.survey(self.operator, self.registry, environment, version))

    def verify(self, environment: str) -> int:
        """Check an environment and show the checks; the exit code."""
        from todo_release.errors import SmokeError
        from todo_release.report.table import Table
        from todo_release.report.text import DONE, REFUSED, duration

        config = self.operator.config
        spec, url = config.smoke_of(environment), config.environment(environment).url
        results = self.judge(spec, url, lambda text, is_note=False: None)
        rows = tuple(
            (DONE if one.is_ok else REFUSED, one.name, duration(one.seconds), one.detail) for one in results
        )
        self.reporter.show(Table(f"Checks of {environment} ({url})", ("", "check", "took", "saw"), rows))
        return 0 if all(one.is_ok for one in results) else SmokeError.exit_code

    def run(self, plan: "Plan", listener: "Listener") -> None:
        """Run a plan."""
        from todo_release.journal import Journal
        from todo_release.pipeline import Pipeline

        Pipeline(
            handlers=self._handlers(),
            journal=Journal(self.operator.repository.root, plan.version),
            listener=listener,
            lock_for=partial(self.lock_for, plan.version),
            width=self.operator.config.parallel_builds,
        ).run(plan)

    def _handlers(self) -> "dict[type[Step], Handler[Any]]":
        from todo_release import publishing, steps
        from todo_release.deploying import DeployHandler
        from todo_release.images import BuildHandler
        from todo_release.verifying import VerifyHandler

        repository, config = self.operator.repository, self.operator.config
        return {
            steps.BuildImage: BuildHandler(repository, config, self.registry, self.container_engine),
            steps.WriteVersion: publishing.WriteVersionHandler(repository, config, self.registry),
            steps.TagCommit: publishing.TagHandler(repository, config),
            steps.NameImages: publishing.NameImagesHandler(repository, config, self.registry),
            steps.Push: publishing.PushHandler(repository),
            steps.Confirm: publishing.ConfirmHandler(self.ask),
            steps.Deploy: DeployHandler(self.operator, self.collect),
            steps.Verify: VerifyHandler(self.operator, self.judge),
        }


def _run(
    root: Path,
    options: Options,
    make_plan: "Callable[[Session], Plan]",
    *,
    is_dry_run: bool,
) -> int:
    """Make a plan and run it, or show it."""
    summary = _summary(options.environ)

    def act(session: Session) -> int:
        plan = make_plan(session)
        if is_dry_run:
            session.reporter.plan(plan)
            return plan.refusals[0].code if plan.refusals else 0

        def listen(event: "Event") -> None:
            session.reporter(event)
            if summary is not None:
                summary(event)

        session.run(plan, listen)
        return 0

    return _answer(root, options, act, summary=summary)


def _answer(
    root: Path,
    options: Options,
    act: "Callable[[Session], int]",
    *,
    summary: "Summary | None" = None,
) -> int:
    """Do something in a session; every error is shown once, here, and becomes its exit code."""
    from todo_release.report.actions import annotate
    from todo_release.report.reporter import choose

    reporter = choose(options.output, options.environ)
    failure: ReleaseError | None = None
    try:
        with _session(root, options, reporter) as session:
            code = act(session)
    except ReleaseError as error:
        failure, code = error, error.code
        reporter.failed(error)
        if options.environ.get("GITHUB_ACTIONS"):
            annotate(error, sys.stderr)  # GitHub reads both streams, programs read JSON from the other one
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        reporter.close()
    if summary is not None:
        summary.write(failure)
    return code


def _summary(environ: Mapping[str, str]) -> "Summary | None":
    from todo_release.report.actions import Summary

    path = environ.get("GITHUB_STEP_SUMMARY")
    return Summary(Path(path)) if path else None


@contextmanager
def _session(root: Path, options: Options, reporter: "Reporter") -> Iterator[Session]:
    from todo_release import config as configuration
    from todo_release.docker_engine import DockerEngine
    from todo_release.environments import Operator
    from todo_release.git import Repository
    from todo_release.lock import EnvironmentLock
    from todo_release.overrides import Overrides, from_environment
    from todo_release.registry import Registry
    from todo_release.report.actions import run_url

    overrides = (options.overrides or Overrides()).over(from_environment(options.environ))
    config = configuration.load(root, overrides)
    repository = Repository(root)
    operator = Operator(
        repository=repository,
        config=config,
        reach=cache(partial(_reach, config)),
        by=f"{repository.author()} on {socket.gethostname()}",
        run_url=run_url(options.environ),
    )

    def lock_for(version: str, environment: str, say: "Say") -> EnvironmentLock:
        access = operator.reach(environment)
        return EnvironmentLock(
            access.cluster,
            access.settings.namespace,
            holder=operator.by,
            version=version,
            url=operator.run_url,
            is_waiting=options.can_wait,
            on_wait=partial(say, is_note=True),
        )

    with Registry(config.registry.host, insecure=config.registry.insecure) as registry:
        yield Session(
            operator=operator,
            registry=registry,
            container_engine=DockerEngine.connect,
            lock_for=lock_for,
            judge=_judge,
            collect=_collect,
            ask=(lambda _: True) if options.is_agreed else reporter.ask,
            reporter=reporter,
        )


def _judge(spec: "Smoke", url: str, say: "Say") -> "list[CheckResult]":
    from todo_release import smoke

    return smoke.run(spec, url, on_result=say)


def _collect(cluster: "Cluster", namespace: str, folder: Path) -> Path:
    from todo_release import diagnosis

    return diagnosis.collect(cluster, namespace, folder)


def _reach(config: "Config", name: str) -> "Access":
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
