"""What a person asks of the engine, one function a command; each returns the exit code of the program.

Imports that cost time stand where they are needed, so that listing the commands loads none of them.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from todo_release import session as sessions
from todo_release.errors import INTERRUPTED, ReleaseError, SmokeError
from todo_release.session import Options, Session

if TYPE_CHECKING:
    from todo_release.pipeline.events import RunEvent
    from todo_release.pipeline.plan import Plan
    from todo_release.preflight.checks.workflows import Parse
    from todo_release.report.github_actions import Summary
    from todo_release.report.reporter import Output


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
    skip: Sequence[str] = (),
    parse: "Parse | None" = None,
) -> Options:
    """Options from what a command line says; None and empty mean nothing was said.

    `config` are partial release.yaml files, `variables` go over those of release.yaml, `values` are extra
    values files as `ENVIRONMENT=PATH`, `skip` are preflight checks whose errors do not count, as
    `CHECK=REASON`, `parse` says what is wrong with arguments for the tasks (None: nothing), so that preflight
    can hold workflows against them. Relative paths are relative to the current folder.

    Raises:
        SystemExit: an item of `values` has another form.
    """
    from todo_release.config.overrides import Overrides

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
    return Options(
        overrides=overrides, output=output, is_agreed=yes, can_wait=wait, skip=tuple(skip), parse=parse
    )


def release(
    root: Path, version: str, options: Options, *, last: str | None = None, is_dry_run: bool = False
) -> int:
    """Release the work tree as a version to every environment up to `last`, by default to all; with
    `is_dry_run`, show the plan. Where no cluster is configured the release is rehearsed instead.
    """
    from todo_release.adapters.kubernetes.kubeconfig import contexts

    known = contexts(options.environ)

    def rehearsed(session: Session) -> int | None:
        wanted = {one.context for one in session.context.config.environments.values()}
        if wanted & known or is_dry_run or options.environ.get("GITHUB_ACTIONS"):
            return None
        session.reporter.say(
            f"No kubeconfig has the context {' or '.join(sorted(wanted))}, so nothing is released: "
            "this is a rehearsal."
        )
        return _rehearse(session, options, version, last=last, like=None)

    return _run(
        root,
        options,
        lambda session: session.release(version, last),
        is_dry_run=is_dry_run,
        instead=rehearsed,
    )


def rehearse(
    root: Path,
    version: str,
    options: Options,
    *,
    last: str | None = None,
    like: str | None = None,
    faults: Sequence[str] = (),
) -> int:
    """Rehearse the release of a version in a world of its own, furnished by release.yaml or like the live
    cluster of an environment. The exit code is the one that the release would have ended with.

    With `faults` these are tried instead, one after the other, and the exit code is 16 when one of them ends
    otherwise than the engine promises.
    """

    def act(session: Session) -> int:
        if not faults:
            return _rehearse(session, options, version, last=last, like=like)
        from todo_release.errors import RehearsalError
        from todo_release.rehearsal import run

        trials = run.try_faults(session, options, version, faults, last=last, like=like)
        if others := [trial.fault.name for trial in trials if not trial.is_as_promised]:
            raise RehearsalError(
                f"{len(others)} of {len(trials)} faults ended otherwise than promised: {', '.join(others)}.",
                remedy="Try one alone with `--fault NAME` and report what it shows.",
            )
        return 0

    return _answer(root, options, act)


def _rehearse(session: Session, options: Options, version: str, *, last: str | None, like: str | None) -> int:
    from todo_release.rehearsal import run

    outcome = run.rehearse(session, options, version, last=last, like=like)
    if outcome.failed:
        raise outcome.failed
    return 0


def deploy(root: Path, version: str, environment: str, options: Options, *, is_dry_run: bool = False) -> int:
    """Bring a version that is released already to one environment; with `is_dry_run`, show the plan."""
    return _run(
        root,
        options,
        lambda session: session.deployment(version, [environment]),
        is_dry_run=is_dry_run,
    )


def promote(root: Path, version: str, options: Options, *, is_dry_run: bool = False) -> int:
    """Bring a version to every environment that takes only what another one has verified; with `is_dry_run`,
    show the plan.
    """
    return _run(root, options, lambda session: session.promotion(version), is_dry_run=is_dry_run)


def rollback(
    root: Path,
    environment: str,
    options: Options,
    *,
    version: str | None = None,
    service: str | None = None,
    is_dry_run: bool = False,
) -> int:
    """Bring an environment, or one service in it, back to what was verified there; by default to the last
    before.
    """
    return _run(
        root,
        options,
        lambda session: session.rollback(environment, version, service),
        is_dry_run=is_dry_run,
    )


def preflight(root: Path, environment: str, options: Options, *, version: str | None = None) -> int:
    """Show what would fail in an environment if a version were released now; without one, the work tree as it
    is.

    The exit code is 15 when something certainly would, 0 when nothing does or only may.
    """

    def show(session: Session) -> int:
        from todo_release.preflight.errors import PreflightError
        from todo_release.report import github_actions

        found = session.preflight(environment, version)
        session.reporter.inspection(found)
        github_actions.publish(found, options.environ, sys.stderr)
        return PreflightError.exit_code if found.errors else 0

    return _answer(root, options, show)


def verify(root: Path, environment: str, options: Options) -> int:
    """Run the smoke checks of an environment and show what each saw; nothing is recorded or undone."""

    def act(session: "Session") -> int:
        from todo_release import queries

        table, is_ok = queries.verify(session.context, environment, session.run_smoke)
        session.reporter.show(table)
        return 0 if is_ok else SmokeError.exit_code

    return _answer(root, options, act)


def status(root: Path, options: Options) -> int:
    """Show what runs in every environment."""

    def show(session: Session) -> int:
        from todo_release import queries

        for table in queries.status(session.context):
            session.reporter.show(table)
        return 0

    return _answer(root, options, show)


def history(root: Path, environment: str, options: Options) -> int:
    """Show what was deployed to an environment."""

    def show(session: Session) -> int:
        from todo_release import queries

        session.reporter.show(queries.history(session.context, environment))
        return 0

    return _answer(root, options, show)


def drift(root: Path, environment: str, options: Options) -> int:
    """Show what differs between an environment and what was deployed to it, by whom and since when.

    The exit code is 17 when something does.
    """

    def show(session: Session) -> int:
        from todo_release.environments import drift as drifts
        from todo_release.errors import DriftError

        access = session.context.reach(environment)
        edits = session.find_drift(access)
        session.reporter.show(drifts.table(environment, edits, session.context.now()))
        return DriftError.exit_code if edits else 0

    return _answer(root, options, show)


def diagnose(root: Path, environment: str, options: Options) -> int:
    """Show what keeps an environment from being ready, if anything does, and keep the evidence.

    The exit code is that of the cause, 0 when everything is ready.
    """

    def show(session: Session) -> int:
        from todo_release.environments.diagnosis import summary as troubles

        found = troubles.diagnose(session.context, environment, session.collect_evidence)
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
        from todo_release.environments.diagnosis import summary as troubles

        for line in troubles.logs(session.context, environment, service, lines=lines):
            session.reporter.say(line)
        return 0

    return _answer(root, options, show)


def version(root: Path, options: Options, *, kind: str | None = None, is_next: bool = False) -> int:
    """Show the versions; with `kind` or `is_next`, only the next version, as a bare line for scripts."""

    def show(session: Session) -> int:
        from todo_release import queries

        if kind is None and not is_next:
            session.reporter.show(queries.version(session.context))
        else:
            session.reporter.say(str(queries.following(session.context, kind)))
        return 0

    return _answer(root, options, show)


def news(root: Path, options: Options) -> int:
    """Show what the changelog will say of the next version."""

    def show(session: Session) -> int:
        from todo_release import queries

        session.reporter.say(queries.news(session.context))
        return 0

    return _answer(root, options, show)


def _run(
    root: Path,
    options: Options,
    make_plan: "Callable[[Session], Plan]",
    *,
    is_dry_run: bool,
    instead: "Callable[[Session], int | None]" = lambda _: None,
) -> int:
    """Make a plan and run it, or show it; unless something is done `instead`, which gives its exit code."""
    from todo_release.report.image_summary import Tally

    summary = _summary(options.environ)

    def act(session: Session) -> int:
        if (code := instead(session)) is not None:
            return code
        plan = make_plan(session)
        if is_dry_run:
            session.reporter.plan(plan)
            return plan.refusals[0].code if plan.refusals else 0

        tally = Tally()

        def listen(event: "RunEvent") -> None:
            session.reporter(event)
            tally(event)
            if summary is not None:
                summary(event)

        session.run(plan, listen)
        if table := tally.table(plan.version):
            session.reporter.show(table)
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
    from todo_release.report.github_actions import annotate
    from todo_release.report.reporter import choose

    reporter = choose(options.output, options.environ)
    failure: ReleaseError | None = None
    try:
        with sessions.open_session(root, options, reporter) as session:
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
    from todo_release.report.github_actions import Summary

    path = environ.get("GITHUB_STEP_SUMMARY")
    return Summary(Path(path)) if path else None
