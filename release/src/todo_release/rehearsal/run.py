"""Holds rehearsals: plays the acts in a theatre, or tries faults in it, and shows and keeps the outcome."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from todo_release.artifacts import versions
from todo_release.core import release_folder
from todo_release.rehearsal import scenario
from todo_release.rehearsal.fault_trials import Trial, Trials, table
from todo_release.rehearsal.faults import named
from todo_release.rehearsal.report import NOT_SHOWN, Outcome
from todo_release.rehearsal.sandbox import Theatre, open_theatre
from todo_release.rehearsal.scenario import Act
from todo_release.report.reporter import Reporter
from todo_release.session import Options, Session

if TYPE_CHECKING:
    from todo_release.preflight.inspection import Inspection

FOLDER = "rehearsal"


def rehearse(
    session: Session, options: Options, version: str, *, last: str | None, like: str | None
) -> Outcome:
    """Rehearse the release of a version, show it as it goes, and write the report beside the journal.

    `last` is the last environment to release to, `like` the environment whose live cluster is the model.

    Raises:
        ConfigError: there is no environment `last` or `like`.
        VersionError: the version does not follow those that are released.
        RehearsalError: the rehearsal's own world could not be made.
    """
    began = time.monotonic()
    context, reporter = session.context, session.reporter
    _check(session, version, last=last, like=like)
    with open_theatre(session, options, like) as theatre:
        outcome = play(theatre, version, last)
        outcome = replace(outcome, seconds=time.monotonic() - began)
        folder = context.repository.root / release_folder.FOLDER / FOLDER / version
        _keep(outcome, theatre.stage.scratch.tree / release_folder.FOLDER, folder)
        page = outcome.write(folder)
    _show(outcome, reporter)
    reporter.say(f"Report: {page}")
    return outcome


def try_faults(
    session: Session,
    options: Options,
    version: str,
    names: Sequence[str],
    *,
    last: str | None,
    like: str | None,
) -> tuple[Trial, ...]:
    """Try faults in one world, each with a version of its own from `version` on, and show what came of them.

    Raises:
        ConfigError: there is no such fault, or no environment `last` or `like`.
        VersionError: the version does not follow those that are released.
        RehearsalError: the rehearsal's own world could not be made, or a fault finds nothing to befall.
        ReleaseError: what runs before could not be set up.
    """
    first = session.context.config.deploy_order(last)[0]
    faults = named(names, ("commit", "tag", f"deploy:{first}", f"verify:{first}"))
    _check(session, version, last=last, like=like)
    with open_theatre(session, options, like) as theatre:
        bench = Trials(theatre, version, last)
        trials = tuple(bench.attempt(fault) for fault in faults)
    session.reporter.show(table(trials))
    return trials


def play(theatre: Theatre, version: str, last: str | None) -> Outcome:
    """Play the acts: what runs before, the release, the release again, a rollback; an error ends an act."""
    stage, final = theatre.stage, theatre.config.deploy_order(last)[-1]
    steps: dict[str, float] = {}
    played: list[Act] = []
    notes: list[str] = []
    after: Inspection | None = None

    def release() -> str:
        told, seconds = scenario.release(stage, version, last)
        steps.update(seconds)
        return told

    earlier = scenario.play("what runs before", lambda: f"{scenario.install(stage, final)} in {final}")
    if earlier.error:
        notes.append(
            f"what was released before could not be set up ({earlier.told}): no rollback was rehearsed"
        )
        stage.scratch.check_out(stage.scratch.head)
    else:
        played.append(earlier)
    stage.inspections.clear()
    played.append(scenario.play(f"release {version}", release))
    inspections = tuple(stage.inspections)
    if played[-1].error is None:
        with stage.session() as session:
            after = session.inspect(final, version)
        played.append(scenario.play("the same command again", lambda: scenario.repeat(stage, version, last)))
        if earlier.error is None:
            played.append(scenario.play(f"roll {final} back", lambda: scenario.undo(stage, final)))
    return Outcome(
        version=version,
        site=theatre.site.told,
        acts=tuple(played),
        steps=steps,
        inspections=inspections,
        after=after,
        notes=tuple(notes),
    )


def _check(session: Session, version: str, *, last: str | None, like: str | None) -> None:
    """Refuse what needs no world to be refused, before one is made."""
    config = session.context.config
    config.deploy_order(last)
    if like is not None:
        config.environment(like)
    versions.check_follows(versions.parse(version), versions.of_tags(session.context.repository.tags()))


def _keep(outcome: Outcome, made: Path, folder: Path) -> None:
    """Keep the journals and the evidence of a rehearsal, and have its errors name what is kept."""
    shutil.rmtree(folder, ignore_errors=True)
    if made.exists():
        shutil.copytree(made, folder)
    for act in outcome.acts:
        if act.error and act.evidence:
            act.error.evidence = str(folder / Path(act.evidence).relative_to(made))


def _show(outcome: Outcome, reporter: Reporter) -> None:
    for line in outcome.findings():
        reporter.say(line)
    for one in (*outcome.nodes_tables(), outcome.steps_table(), outcome.acts_table()):
        reporter.show(one)
    for line in outcome.notes:
        reporter.say(f"Note: {line}.")
    reporter.say("Not shown: " + "; ".join(NOT_SHOWN) + ".")
    reporter.say(outcome.verdict)
