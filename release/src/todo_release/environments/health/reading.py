"""One reading of an environment: what its pods have answered since the reading before, and restarts."""

from dataclasses import dataclass, field

from todo_release.adapters.metrics import Alert
from todo_release.environments.health.request_counts import RequestCounts


@dataclass(frozen=True, slots=True)
class RestartedContainer:
    """A container that was restarted since the watch began, and how its last run ended."""

    pod: str
    container: str
    restarts: int
    ending: str = ""

    def __str__(self) -> str:
        """Returns `web of shop-web-5d8f (exit code 1)`."""
        return f"{self.container} of {self.pod}" + (f" ({self.ending})" if self.ending else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReading:
    """What one reading saw.

    Attributes:
        new_pods: How many pods of the version there are whose template it changed.
        new: What these answered since the reading before.
        before: What the version before answered until the deployment, where known; in one reading only.
        unchanged: What pods answered since that the version did not change. They excuse nothing, because
            they fail, too, when they call new pods that fail.
        new_restarts: Containers of new pods that were restarted since the watch began.
        unchanged_restarts: The same of pods that were not changed.
        alerts: Alerts that fire and began after the deployment.
        is_read: False where the metrics of no new pod could be read.
        problems: What could not be read, and why.
    """

    new_pods: int
    new: RequestCounts = field(default_factory=RequestCounts)
    before: RequestCounts = field(default_factory=RequestCounts)
    unchanged: RequestCounts = field(default_factory=RequestCounts)
    new_restarts: tuple[RestartedContainer, ...] = ()
    unchanged_restarts: tuple[RestartedContainer, ...] = ()
    alerts: tuple[Alert, ...] = ()
    is_read: bool = True
    problems: tuple[str, ...] = ()
