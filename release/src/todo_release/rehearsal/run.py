"""Runs a rehearsal, or tries faults, in a sandbox; shows the result and keeps the report."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from todo_release.artifacts import images, version_line
from todo_release.config.model import Config
from todo_release.core.release_folder import IGNORE_FILE, RELEASE_FOLDER
from todo_release.preflight.inspection import Inspection
from todo_release.rehearsal import scenario
from todo_release.rehearsal.fault_trials import FaultResult, FaultTrials, result_table
from todo_release.rehearsal.faults import select_faults
from todo_release.rehearsal.report import NOT_SHOWN, RehearsalReport
from todo_release.rehearsal.sandbox import Sandbox, open_sandbox
from todo_release.rehearsal.scenario import Phase, run_phase
from todo_release.report.reporter import Reporter
from todo_release.session import CommandOptions, Session

FOLDER = "rehearsal"


def rehearse(
    session: Session, options: CommandOptions, version: str, *, last: str | None, like: str | None
) -> RehearsalReport:
    """Rehearses the release of a version, shows its progress, and writes its report.

    Args:
        session: the real repository and configuration; only the report is written there.
        options: those of the command.
        version: the version to release.
        last: the last environment to release to; None means all.
        like: the environment whose live cluster is copied; None uses the cluster that release.yaml describes.

    Raises:
        ConfigError: there is no environment `last` or `like`.
        VersionError: the version does not follow the released ones.
        RehearsalError: the sandbox could not be created.
    """
    started_at = time.monotonic()
    context, reporter = session.context, session.reporter
    _check(session, version, last=last, like=like)
    with open_sandbox(session, options, like) as sandbox:
        report = run_phases(sandbox, version, last)
        report = replace(
            report, confirmed=_confirmed(context.config, options, last), seconds=time.monotonic() - started_at
        )
        folder = context.repository.root / RELEASE_FOLDER / FOLDER / version
        _keep_evidence(report, sandbox.context.scratch.tree / RELEASE_FOLDER, folder)
        page = report.write(folder)
    _show(report, reporter)
    reporter.show_text(f"Report: {page}")
    return report


def try_faults(
    session: Session,
    options: CommandOptions,
    version: str,
    names: Sequence[str],
    *,
    last: str | None,
    like: str | None,
) -> tuple[FaultResult, ...]:
    """Tries faults in one sandbox, each with a version of its own from `version` on, and shows the results.

    Raises:
        ConfigError: there is no such fault, or no environment `last` or `like`.
        VersionError: the version does not follow the released ones.
        RehearsalError: the sandbox could not be created, or a fault finds nothing to affect.
        ReleaseError: the previous version could not be installed.
    """
    first = session.context.config.deploy_order(last)[0]
    faults = select_faults(names, ("commit", "tag", f"deploy:{first}", f"verify:{first}"))
    _check(session, version, last=last, like=like)
    with open_sandbox(session, options, like) as sandbox:
        trials = FaultTrials(sandbox, version, last)
        results = tuple(trials.run(fault) for fault in faults)
    session.reporter.show_table(result_table(results))
    return results


def run_phases(sandbox: Sandbox, version: str, last: str | None) -> RehearsalReport:
    """Runs the phases: the previous version, the release, the release again, a rollback.

    A failed release ends the rehearsal. Without a previous version there is no rollback.
    """
    context, final = sandbox.context, sandbox.config.deploy_order(last)[-1]
    steps: dict[str, float] = {}
    phases: list[Phase] = []
    notes: list[str] = []
    after: Inspection | None = None

    def install_previous() -> str:
        return f"{scenario.install_previous(context, final)} runs in {final}"

    def release() -> str:
        summary, seconds = scenario.release(context, version, last)
        steps.update(seconds)
        return summary

    previous = run_phase("install the previous version", install_previous)
    if previous.error:
        notes.append(
            f"the previous version could not be installed ({previous.summary}), so no rollback was rehearsed"
        )
        context.scratch.check_out(context.scratch.head)
    else:
        phases.append(previous)
    context.inspections.clear()
    phases.append(run_phase(f"release {version}", release))
    inspections = tuple(context.inspections)
    if phases[-1].error is None:
        with context.session() as session:
            after = session.inspect(final, version)
        phases.append(
            run_phase(f"release {version} again", lambda: scenario.release_again(context, version, last))
        )
        if previous.error is None:
            phases.append(run_phase(f"roll back {final}", lambda: scenario.roll_back(context, final)))
    return RehearsalReport(
        version=version,
        cluster=sandbox.fixture.summary,
        phases=tuple(phases),
        steps=steps,
        inspections=inspections,
        after=after,
        notes=tuple(notes),
    )


def _check(session: Session, version: str, *, last: str | None, like: str | None) -> None:
    """Refuses invalid arguments and inputs before a sandbox is created."""
    config = session.context.config
    config.deploy_order(last)
    if like is not None:
        config.environment(like)
    version_line.check_version(session.context.repository, config, version)
    images.read_all_inputs(session.context.repository, config)


def _confirmed(config: Config, options: CommandOptions, last: str | None) -> tuple[str, ...]:
    """Returns the environments before which the real release stops until a person agrees."""
    if options.is_agreed:
        return ()
    return tuple(name for name in config.deploy_order(last) if config.environment(name).confirm)


def _keep_evidence(report: RehearsalReport, source: Path, folder: Path) -> None:
    """Copies journals and evidence out of the sandbox, and makes the errors name the copies."""
    shutil.rmtree(folder, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(IGNORE_FILE))
    for phase in report.phases:
        if phase.error and phase.evidence:
            phase.error.evidence = str(folder / Path(phase.evidence).relative_to(source))


def _show(report: RehearsalReport, reporter: Reporter) -> None:
    for line in report.findings():
        reporter.show_text(line)
    for table in (*report.nodes_tables(), report.steps_table(), report.phases_table()):
        reporter.show_table(table)
    for line in report.notes:
        reporter.show_text(f"Note: {line}.")
    reporter.show_text("Not shown: " + "; ".join(NOT_SHOWN) + ".")
    reporter.show_text(report.verdict)
