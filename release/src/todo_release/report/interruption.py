"""Tells after an interruption what runs where, how to continue and how to undo."""

from collections.abc import Iterator

from todo_release.pipeline.events import PlanStarted, RunEvent, StepEnded, StepFailed, StepStarted
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Deploy, Step, Verify
from todo_release.report.text import REFUSED


class Interruption:
    """Listens to a run and keeps how far it came."""

    def __init__(self) -> None:
        """Starts before a plan."""
        self._plan: Plan | None = None
        self._running: dict[str, Step] = {}
        self._done: dict[str, bool] = {}

    def __call__(self, event: RunEvent) -> None:
        """Keeps which steps run and which are done, and whether this run did them."""
        match event:
            case PlanStarted(plan, _, _):
                self._plan = plan
            case StepStarted(step):
                self._running[step.id] = step
            case StepEnded(step, was_done, _, _):
                self._running.pop(step.id, None)
                self._done[step.id] = not was_done
            case StepFailed(step, _, _):
                self._running.pop(step.id, None)

    def lines(self) -> Iterator[str]:
        """Yields what people read after the run was interrupted."""
        during = ", ".join(step.title for step in self._running.values())
        yield f"{REFUSED} Interrupted{f' during: {during}' if during else ''}."
        deployments = [step for step in self._plan.steps if isinstance(step, Deploy)] if self._plan else []
        for deployment in deployments:
            yield f"  {deployment.environment}: {self._state(deployment)}."
        if not any(self._is_changed(deployment) for deployment in deployments):
            yield "  No environment was changed."
        yield "  To continue, run the same command again: it goes on where this one stopped."
        for deployment in deployments:
            if self._is_changed(deployment) and deployment.running_version:
                yield f"  To undo, run `inv rollback --env {deployment.environment}`."

    def _is_changed(self, deployment: Deploy) -> bool:
        return deployment.id in self._running or self._done.get(deployment.id, False)

    def _state(self, deployment: Deploy) -> str:
        before = deployment.running_version or "nothing"
        if deployment.id in self._running:
            return f"{deployment.version} may be partly rolled out; {before} ran before"
        if deployment.id in self._done:
            assert self._plan is not None  # noqa: S101  # steps end only in a plan; narrows the type
            checks = [
                step.id
                for step in self._plan.steps
                if isinstance(step, Verify) and step.environment == deployment.environment
            ]
            is_verified = all(step in self._done for step in checks)
            return f"{deployment.version} runs, {'verified' if is_verified else 'not verified yet'}"
        return f"{before} runs, unchanged"
