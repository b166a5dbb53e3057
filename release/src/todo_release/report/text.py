"""The marks and sentences that the reporters for people share."""

from collections.abc import Iterable, Sequence

from todo_release.core.formatting import duration
from todo_release.errors import ConfigError, ReleaseError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Deploy, Step

DONE, TO_DO, REFUSED = "✓", "•", "✗"


def plan_lines(plan: Plan) -> Iterable[str]:
    """Yields a plan, one line for each finding, step, change of a deployment, and refusal."""
    for finding in plan.findings:
        yield f"{DONE} {finding}"
    width = max((len(step.title) for step in plan.steps), default=0)
    for step in plan.steps:
        yield f"{step_mark(step)} {step.title:<{width}}  {step.reason}"
        if isinstance(step, Deploy):
            yield from (f"    {change}" for change in step.changes)
    for refusal in plan.refusals:
        yield f"{REFUSED} {refusal}"
    yield plan_summary(plan)


def plan_summary(plan: Plan) -> str:
    """Returns one sentence on what a plan will do."""
    if plan.refusals:
        count = len(plan.refusals)
        return f"{plan.version}: refused, for {count} {'reason' if count == 1 else 'reasons'} above."
    if plan.is_finished:
        return f"{plan.version}: nothing to do, nothing was written."
    return f"{len(plan.pending)} of {len(plan.steps)} steps to do."


def opening_lines(plan: Plan, interrupted: Sequence[str]) -> Iterable[str]:
    """Yields the first lines of a run: the findings, and where an earlier run was interrupted."""
    for finding in plan.findings:
        yield f"{DONE} {finding}"
    if interrupted:
        yield f"{TO_DO} an earlier run was interrupted in {', '.join(interrupted)}; continuing from there"


def completion_line(plan: Plan, seconds: float) -> str:
    """Returns the last line of a run in which every step is done."""
    if plan.is_finished:
        return f"{DONE} {plan_summary(plan)}"
    return f"{DONE} {plan.version}: all done in {duration(seconds)}"


def step_mark(step: Step) -> str:
    """Returns the mark of a step in a plan: done, or to do."""
    return DONE if step.is_done else TO_DO


def error_lines(error: ReleaseError) -> Iterable[str]:
    """Yields what went wrong, what was done about it, where the evidence is, and what to do next."""
    place = (
        f"{error.file}:{error.line}:{error.column}: " if isinstance(error, ConfigError) and error.file else ""
    )
    yield f"{REFUSED} {place}{error.problem}"
    for note in getattr(error, "__notes__", ()):
        yield f"  {note[0].upper()}{note[1:]}."
    if error.evidence:
        yield f"  Evidence: {error.evidence}"
    yield f"  {error.remedy}"
    yield f"  (exit code {error.code})"
