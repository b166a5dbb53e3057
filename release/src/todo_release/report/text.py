"""The words and marks that all reporters for people share."""

from collections.abc import Iterable

from todo_release.errors import ConfigError, ReleaseError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Deploy, Step

DONE, TO_DO, REFUSED = "✓", "•", "✗"


def plan_lines(plan: Plan) -> Iterable[str]:
    """A plan, one line a finding, step and refusal."""
    for finding in plan.findings:
        yield f"{DONE} {finding}"
    width = max((len(step.title) for step in plan.steps), default=0)
    for step in plan.steps:
        yield f"{mark(step)} {step.title:<{width}}  {step.reason}"
        if isinstance(step, Deploy):
            yield from (f"    {change}" for change in step.changes)
    for refusal in plan.refusals:
        yield f"{REFUSED} {refusal}"
    yield verdict(plan)


def verdict(plan: Plan) -> str:
    """One sentence on what a plan comes to."""
    if plan.refusals:
        count = len(plan.refusals)
        return f"{plan.version}: refused, for {count} {'reason' if count == 1 else 'reasons'} above."
    if plan.is_finished:
        return f"{plan.version}: nothing to do, nothing was written."
    return f"{len(plan.pending)} of {len(plan.steps)} steps to do."


def mark(step: Step) -> str:
    """Whether the facts showed a step done."""
    return DONE if step.is_done else TO_DO


def error_lines(error: ReleaseError) -> Iterable[str]:
    """What went wrong, what was done about it, and what to do next."""
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
