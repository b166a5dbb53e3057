"""The settings of `watch` and `marks` in release.yaml: what tells a healthy version after its deployment."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from todo_release.config.base import Model

MetricName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
ServiceAddress = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9-]*[a-z0-9])?:\d+$")
]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]*[^\s/]$")]


class FailureRatios(Model):
    """Two ratios of failures that a sequential probability ratio test (A. Wald, 1945) decides between."""

    accepted: float = Field(default=0.005, gt=0, lt=1, description="A healthy version fails so often.")
    rejected: float = Field(default=0.05, gt=0, lt=1, description="A version to take back fails so often.")
    false_alarm: float = Field(
        default=0.01, gt=0, lt=0.5, description="How likely a healthy version may be taken back."
    )
    missed: float = Field(
        default=0.05, gt=0, lt=0.5, description="How likely a failing version may be taken for healthy."
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.accepted >= self.rejected:
            raise ValueError(f"accepted ({self.accepted}) must be lower than rejected ({self.rejected})")
        return self


class WatchedRequests(Model):
    """The counter of answered requests."""

    counter: MetricName = Field(default="http_requests_total", description="Name of the counter.")
    status_label: str = Field(default="status", description="Its label with the status.")
    failed: tuple[str, ...] = Field(
        default=("5*",), description="Patterns of the statuses of failures: 5* matches 503 and 5xx."
    )
    exclude: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Label and patterns of its values; series that match do not count. Leave out probes, "
        "metrics and routes that are slow on purpose.",
    )
    ratios: FailureRatios = Field(default_factory=FailureRatios)


class WatchedLatency(Model):
    """The histogram of durations; an answer that takes longer than `seconds` counts as slow."""

    histogram: MetricName = Field(default="http_request_duration_seconds", description="Name without suffix.")
    seconds: float = Field(gt=0, description="One of the upper bounds (`le`) of its buckets.")
    ratios: FailureRatios = Field(default=FailureRatios(accepted=0.02, rejected=0.2))


class PodMetricsSettings(Model):
    """Where pods show their metrics."""

    port: str = Field(
        default="http", description="Name or number of a container's port; pods without it are not read."
    )
    path: Annotated[str, StringConstraints(pattern=r"^/")] = "/metrics"


class PrometheusSettings(Model):
    """How Prometheus is reached: as a Service through the Kubernetes API, or at a URL."""

    service: ServiceAddress | None = Field(
        default=None, description="NAMESPACE/NAME:PORT of its Service; asked through the Kubernetes API."
    )
    url: HttpUrl | None = Field(default=None, description="Its URL, as whoever releases reaches it.")

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if (self.service is None) == (self.url is None):
            raise ValueError("state one of service and url")
        return self


class HealthWatchSettings(Model):
    """How a version is watched once it is verified; without `minutes` nothing is watched."""

    minutes: float | None = Field(default=None, gt=0, description="Longest that a version is watched.")
    at_least_minutes: float = Field(
        default=1, ge=0, description="Shortest that a version is watched, also when it looks healthy before."
    )
    poll_seconds: float = Field(default=5, gt=0, description="How often metrics are read.")
    source: Literal["pods", "prometheus"] = Field(
        default="pods",
        description="Who is asked for counters: each pod through the Kubernetes API (right: get pods/proxy), "
        "or Prometheus, which also knows those of the version before.",
    )
    pods: PodMetricsSettings = Field(default_factory=PodMetricsSettings)
    prometheus: PrometheusSettings | None = Field(
        default=None, description="Needed for `source: prometheus` and for `alerts`."
    )
    requests: WatchedRequests = Field(default_factory=WatchedRequests)
    latency: WatchedLatency | None = None
    restarts: int = Field(
        default=2, ge=1, description="How many restarts of containers of new pods mean that it fails."
    )
    alerts: dict[str, str] | None = Field(
        default=None,
        description="Labels of alerts of the environment's namespace that mean that the version fails, when "
        "they began after its deployment: {severity: critical}. Without it no alerts are read.",
    )
    smoke_seconds: float | None = Field(
        default=None,
        gt=0,
        description="How often the smoke checks are run meanwhile, to have some traffic; by default never.",
    )

    @property
    def needs_prometheus(self) -> bool:
        """Whether the settings cannot be followed without Prometheus."""
        return self.source == "prometheus" or self.alerts is not None


class GrafanaSettings(Model):
    """A Grafana that gets an annotation for each deployment and each return to an earlier version."""

    url: HttpUrl
    token_variable: str = Field(
        default="GRAFANA_TOKEN",
        description="Environment variable with the token of a service account that may write annotations; "
        "without it no annotation is written.",
    )


class MarkSettings(Model):
    """Where deployments are marked beside the Event in the environment's namespace."""

    grafana: GrafanaSettings | None = None
