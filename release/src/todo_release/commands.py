"""The commands, one function each; every function returns the exit code of the program.

Imports inside functions are for `rehearsal`, which loads preflight and the embedded control
plane: 300 ms that no other command needs.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from todo_release import queries
from todo_release import session as sessions
from todo_release.adapters import signals
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.environments.diagnosis import summary as diagnosis
from todo_release.environments.drift import drift_table
from todo_release.errors import (
    INTERRUPTED,
    DriftError,
    HealthError,
    RehearsalError,
    ReleaseError,
    SmokeError,
)
from todo_release.pipeline.events import RunEvent
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.saved_plan import PlanRequest
from todo_release.preflight.errors import PreflightError
from todo_release.report import github_actions
from todo_release.report.image_summary import ImageSummary
from todo_release.report.interruption import Interruption
from todo_release.report.reporter import choose_reporter
from todo_release.session import CommandOptions, Session


def plan(root: Path, request: PlanRequest, options: CommandOptions, *, file: Path | None = None) -> int:
    """Shows the plan of a request and saves it to `file`, unless it has refusals."""

    def answer(session: Session) -> int:
        plan = session.plan(request)
        code = _show_plan(session, plan, options)
        if file is not None and not plan.refusals:
            session.save(plan, request, file)
            session.reporter.show_text(f"Saved: `inv release --plan {file}` runs exactly this, or refuses.")
        return code

    return _run_command(root, options, answer)


def release_plan(root: Path, file: Path, options: CommandOptions) -> int:
    """Runs a saved plan, if nothing that it was made from has changed."""
    return _run_plan(root, options, lambda session: session.load(file), is_dry_run=False)


def release(
    root: Path,
    version: str,
    options: CommandOptions,
    *,
    last: str | None = None,
    allows_downgrade: bool = False,
    is_dry_run: bool = False,
) -> int:
    """Releases the work tree as a version to every environment up to `last`, by default to all.

    With `is_dry_run` it shows the plan. Where no cluster is configured it rehearses the release instead.
    """

    def rehearse_instead(session: Session) -> int | None:
        wanted = {environment.context for environment in session.context.config.environments.values()}
        is_known = bool(wanted & kubeconfig.contexts(options.environ))
        if is_known or is_dry_run or options.environ.get("GITHUB_ACTIONS"):
            return None
        session.reporter.show_text(
            f"No kubeconfig has the context {' or '.join(sorted(wanted))}, so nothing is released: "
            "this is a rehearsal."
        )
        return _rehearse(session, options, version, last=last, like=None)

    request = PlanRequest(version=version, last=last, allows_downgrade=allows_downgrade)
    return _run_plan(
        root,
        options,
        lambda session: session.plan(request),
        is_dry_run=is_dry_run,
        instead=rehearse_instead,
    )


def rehearse(
    root: Path,
    version: str,
    options: CommandOptions,
    *,
    last: str | None = None,
    like: str | None = None,
    faults: Sequence[str] = (),
) -> int:
    """Rehearses the release of a version in a sandbox; returns the exit code that the release would have.

    The sandbox's cluster is made from release.yaml, or like the live cluster of the environment `like`. With
    `faults` it tries these instead, one after the other; the exit code is 16 when the engine handles one not
    as promised.
    """

    def answer(session: Session) -> int:
        if not faults:
            return _rehearse(session, options, version, last=last, like=like)
        from todo_release.rehearsal import run

        results = run.try_faults(session, options, version, faults, last=last, like=like)
        if broken := [result.fault.name for result in results if not result.is_as_expected]:
            raise RehearsalError(
                f"{len(broken)} of {len(results)} faults ended otherwise than promised: {', '.join(broken)}.",
                remedy="Try one alone with `--fault NAME` and report what it shows.",
            )
        return 0

    return _run_command(root, options, answer)


def _rehearse(
    session: Session, options: CommandOptions, version: str, *, last: str | None, like: str | None
) -> int:
    from todo_release.rehearsal import run

    report = run.rehearse(session, options, version, last=last, like=like)
    if report.error:
        raise report.error
    return 0


def deploy(
    root: Path,
    version: str,
    environment: str,
    options: CommandOptions,
    *,
    allows_downgrade: bool = False,
    is_dry_run: bool = False,
) -> int:
    """Deploys a released version to one environment; with `is_dry_run` it shows the plan."""
    request = PlanRequest(version=version, environment=environment, allows_downgrade=allows_downgrade)
    return _run_plan(root, options, lambda session: session.plan(request), is_dry_run=is_dry_run)


def promote(
    root: Path,
    version: str,
    options: CommandOptions,
    *,
    allows_downgrade: bool = False,
    is_dry_run: bool = False,
) -> int:
    """Deploys a version to every environment that accepts only what another one has verified.

    With `is_dry_run` it shows the plan.
    """
    return _run_plan(
        root,
        options,
        lambda session: session.plan_promotion(version, allows_downgrade=allows_downgrade),
        is_dry_run=is_dry_run,
    )


def rollback(
    root: Path,
    environment: str,
    options: CommandOptions,
    *,
    version: str | None = None,
    service: str | None = None,
    is_dry_run: bool = False,
) -> int:
    """Takes an environment, or one service in it, back to a verified version, by default to the last one.

    With `is_dry_run` it shows the plan.
    """
    return _run_plan(
        root,
        options,
        lambda session: session.plan_rollback(environment, version, service),
        is_dry_run=is_dry_run,
    )


def preflight(root: Path, environment: str, options: CommandOptions, *, version: str | None = None) -> int:
    """Shows what would fail in an environment if a version, or the work tree as it is, were released now.

    Returns 15 when something would certainly fail, else 0.
    """

    def answer(session: Session) -> int:
        inspection = session.run_preflight(environment, version)
        session.reporter.show_inspection(inspection)
        github_actions.publish_inspection(inspection, options.environ, sys.stderr)
        return PreflightError.exit_code if inspection.errors else 0

    return _run_command(root, options, answer)


def verify(root: Path, environment: str, options: CommandOptions) -> int:
    """Runs the smoke checks of an environment and shows the results; nothing is recorded or undone."""

    def answer(session: Session) -> int:
        table, is_ok = queries.verify(
            session.context,
            environment,
            session.run_smoke,
            session.find_deviations,
            session.find_builds,
        )
        session.reporter.show_table(table)
        return 0 if is_ok else SmokeError.exit_code

    return _run_command(root, options, answer)


def watch(root: Path, environment: str, options: CommandOptions, *, minutes: float | None = None) -> int:
    """Watches how the pods of an environment answer, as a release does; nothing is recorded or undone.

    Returns 19 when what runs fails.
    """

    def answer(session: Session) -> int:
        verdict = queries.watch(session.context, environment, minutes, session.reporter.show_text)
        session.reporter.show_text(f"{verdict.health.value}: {verdict.text}")
        return HealthError.exit_code if verdict.is_failing else 0

    return _run_command(root, options, answer)


def status(root: Path, options: CommandOptions) -> int:
    """Shows what runs in every environment."""

    def answer(session: Session) -> int:
        for table in queries.status(session.context):
            session.reporter.show_table(table)
        return 0

    return _run_command(root, options, answer)


def history(root: Path, environment: str, options: CommandOptions) -> int:
    """Shows what was deployed to an environment."""

    def answer(session: Session) -> int:
        session.reporter.show_table(queries.history(session.context, environment))
        return 0

    return _run_command(root, options, answer)


def drift(root: Path, environment: str, options: CommandOptions) -> int:
    """Shows what was changed by hand in an environment, by whom and since when.

    Returns 17 when something was.
    """

    def answer(session: Session) -> int:
        access = session.context.connect(environment)
        changes = session.find_drift(access)
        session.reporter.show_table(drift_table(environment, changes, session.context.now()))
        return DriftError.exit_code if changes else 0

    return _run_command(root, options, answer)


def diagnose(root: Path, environment: str, options: CommandOptions) -> int:
    """Shows why an environment is not ready, if it is not, and saves the evidence.

    Returns the exit code of the cause, 0 when everything is ready.
    """

    def answer(session: Session) -> int:
        result = diagnosis.diagnose(session.context, environment, session.collect_evidence)
        session.reporter.show_table(result.workloads)
        session.reporter.show_text(f"Evidence: {result.evidence}")
        if result.error is not None:
            raise result.error
        return 0

    return _run_command(root, options, answer)


def logs(
    root: Path, environment: str, options: CommandOptions, *, service: str | None = None, lines: int = 100
) -> int:
    """Shows the last lines of the pods of a service, or of all."""

    def answer(session: Session) -> int:
        for line in diagnosis.read_logs(session.context, environment, service, lines=lines):
            session.reporter.show_text(line)
        return 0

    return _run_command(root, options, answer)


def version(root: Path, options: CommandOptions, *, kind: str | None = None, is_next: bool = False) -> int:
    """Shows the versions; with `kind` or `is_next` only the next version, as a bare line for scripts."""

    def answer(session: Session) -> int:
        if kind is None and not is_next:
            session.reporter.show_table(queries.version(session.context))
        else:
            session.reporter.show_text(str(queries.next_version(session.context, kind)))
        return 0

    return _run_command(root, options, answer)


def news(root: Path, options: CommandOptions) -> int:
    """Shows what the changelog will say about the next version."""

    def answer(session: Session) -> int:
        session.reporter.show_text(queries.news(session.context))
        return 0

    return _run_command(root, options, answer)


def _run_plan(
    root: Path,
    options: CommandOptions,
    make_plan: Callable[[Session], Plan],
    *,
    is_dry_run: bool,
    instead: Callable[[Session], int | None] = lambda _: None,
) -> int:
    """Makes a plan and runs it, or shows it. If `instead` returns an exit code, no plan is made."""
    job_summary = _job_summary(options.environ)
    interruption = Interruption()

    def answer(session: Session) -> int:
        if (code := instead(session)) is not None:
            return code
        plan = make_plan(session)
        if is_dry_run:
            return _show_plan(session, plan, options)

        image_summary = ImageSummary()

        def listen(event: RunEvent) -> None:
            interruption(event)
            session.reporter(event)
            image_summary(event)
            if job_summary is not None:
                job_summary(event)

        session.run(plan, listen)
        if table := image_summary.table(plan.version):
            session.reporter.show_table(table)
        return 0

    return _run_command(root, options, answer, job_summary=job_summary, interruption=interruption)


def _show_plan(session: Session, plan: Plan, options: CommandOptions) -> int:
    """Shows a plan, also in the job summary of a workflow; returns the code of its first refusal, or 0."""
    session.reporter.show_plan(plan)
    github_actions.publish_plan(plan, options.environ)
    return plan.refusals[0].code if plan.refusals else 0


def _run_command(
    root: Path,
    options: CommandOptions,
    answer: Callable[[Session], int],
    *,
    job_summary: github_actions.JobSummary | None = None,
    interruption: Interruption | None = None,
) -> int:
    """Calls `answer` with a session; shows every error once, here, and returns its exit code."""
    reporter = choose_reporter(options.output, options.environ)
    failure: ReleaseError | None = None
    interrupted: tuple[str, ...] = ()
    try:
        with signals.orderly_end(), sessions.open_session(root, options, reporter) as session:
            code = answer(session)
    except ReleaseError as error:
        failure, code = error, error.code
        reporter.show_error(error)
        if options.environ.get("GITHUB_ACTIONS"):
            # GitHub reads annotations from stderr too, and stdout must stay JSON for programs.
            github_actions.annotate_error(error, sys.stderr)
    except KeyboardInterrupt:
        code, interrupted = INTERRUPTED, tuple(interruption.lines()) if interruption else ()
        for line in interrupted:
            reporter.show_text(line)
    finally:
        reporter.close()
    if job_summary is not None:
        job_summary.write(failure, interrupted)
    return code


def _job_summary(environ: Mapping[str, str]) -> github_actions.JobSummary | None:
    path = environ.get("GITHUB_STEP_SUMMARY")
    return github_actions.JobSummary(Path(path)) if path else None
