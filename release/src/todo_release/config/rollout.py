"""The settings of `rollout` in release.yaml: how long a rollout may show a problem before it has failed."""

from pydantic import Field

from todo_release.config.base import Model


class RolloutSettings(Model):
    """How long a rollout may show a problem before it has failed.

    A workload overrides all but `hook_timeout_seconds` by annotations: `rollout.release-engine.dev/` and the
    name of the setting with dashes (`rollout.release-engine.dev/crash-seconds: "120"`).
    """

    hook_timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Longest that Helm may take to run all hooks and to apply the chart; by default "
        "`timeout_seconds` of the environment. The rollout's own time begins after it.",
    )
    readiness_seconds: float | None = Field(
        default=None,
        gt=0,
        description="How long a container may run without being ready; by default progressDeadlineSeconds of "
        "its Deployment, or 600 for other kinds. Probes that allow more win.",
    )
    unschedulable_seconds: float = Field(
        default=12,
        gt=0,
        description="How long no node may take a pod when nothing can help. While an autoscaler, preemption "
        "or a volume that is being bound can help, the pod has until the end of the rollout.",
    )
    missing_config_seconds: float = Field(
        default=5, ge=0, description="How long a Secret, a ConfigMap or a key may be missing."
    )
    managed_secret_seconds: float = Field(
        default=120,
        ge=0,
        description="The same for a Secret that an ExternalSecret, SealedSecret or Certificate of the chart "
        "creates.",
    )
    missing_image_seconds: float = Field(
        default=5, ge=0, description="How long the registry may answer that it does not have the image."
    )
    pull_seconds: float = Field(
        default=30,
        ge=0,
        description="How long the registry may refuse a node or not answer it; nodes try again after 10 s.",
    )
    crashes: int = Field(
        default=2, ge=1, description="How often a container must have ended before crashes count."
    )
    crash_seconds: float = Field(
        default=8,
        ge=0,
        description="How long it may then stay ended. Raise it for programs that end until what they depend "
        "on is there.",
    )
