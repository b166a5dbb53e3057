"""Whether autoscalers can work."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import AUTOSCALERS, DEPLOYMENTS
from todo_release.preflight.checks.autoscaling import CHECK

from ..snapshots import (
    error_causes,
    findings_of,
    live_object,
    make_manifest,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)


def autoscaler(
    *metrics: dict[str, Any], target: str = "web", kind: str = "Deployment", **spec: Any
) -> dict[str, Any]:
    """Returns an autoscaler of a workload."""
    body = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": list(metrics),
        **spec,
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": body,
    }


def cpu_metric(container: str | None = None) -> dict[str, Any]:
    """Returns a CPU utilization metric, of the pod or of one container."""
    target = {"type": "Utilization", "averageUtilization": 80}
    if container is None:
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    return {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": container, "target": target},
    }


def deployment(**requests: str) -> dict[str, Any]:
    """Returns a Deployment whose container has these requests."""
    return workload(containers=[{"name": "web", "image": "a", "resources": {"requests": requests}}])


def test_valid_autoscaler_is_no_finding() -> None:
    """Metrics of the pod, of a container and of external sources are all valid."""
    external = {"type": "External", "external": {"metric": {"name": "queue"}}}
    assert (
        summaries_of(
            CHECK, make_snapshot(deployment(cpu="1"), autoscaler(cpu_metric(), cpu_metric("web"), external))
        )
        == []
    )


@pytest.mark.parametrize("problem", ["is not installed", "does not answer (503)"])
def test_missing_metrics_api_is_a_warning(problem: str) -> None:
    """A missing or failing metrics API is a warning, but only for autoscalers that use it."""
    assert summaries_of(
        CHECK, make_snapshot(deployment(cpu="1"), autoscaler(cpu_metric()), live={"metrics_problem": problem})
    ) == [
        (
            "warning",
            "HorizontalPodAutoscaler/web",
            f"The metrics API {problem}, so 1 autoscalers cannot act.",
        )
    ]
    assert (
        summaries_of(
            CHECK, make_snapshot(deployment(cpu="1"), autoscaler(), live={"metrics_problem": problem})
        )
        == []
    )


def test_metrics_api_that_may_not_be_read_is_a_note() -> None:
    """A forbidden metrics API leads to a note, because its state is unknown."""
    unread = {"metrics": "the metrics API may not be asked (403)"}
    assert severities_of(
        CHECK, make_snapshot(deployment(cpu="1"), autoscaler(cpu_metric()), live={"unread": unread})
    ) == ["note"]


def test_min_replicas_above_max_replicas_is_an_error() -> None:
    """The API server would refuse minReplicas above maxReplicas in the middle of the release."""
    assert error_causes(CHECK, make_snapshot(deployment(cpu="1"), autoscaler(minReplicas=4))) == [
        "minReplicas 4 is more than maxReplicas 3: the API server refuses it."
    ]


def test_autoscaler_of_a_missing_target_is_an_error() -> None:
    """A target must exist in the chart or the namespace; kinds that are not read are assumed to exist."""
    assert error_causes(CHECK, make_snapshot(autoscaler(target="gone"))) == [
        "It scales Deployment/gone, which does not exist."
    ]
    live_lists = {DEPLOYMENTS: [live_object(workload("gone"))]}
    assert summaries_of(CHECK, make_snapshot(autoscaler(target="gone"), lists=live_lists)) == []
    assert summaries_of(CHECK, make_snapshot(autoscaler(target="gone", kind="Rollout"))) == []


def test_utilization_without_a_request_is_an_error() -> None:
    """A target utilization needs a request in every container that it measures."""
    assert error_causes(CHECK, make_snapshot(deployment(memory="1Gi"), autoscaler(cpu_metric()))) == [
        "Container web of Deployment/web has no cpu request, of which the target utilization is a percentage."
    ]
    assert error_causes(CHECK, make_snapshot(deployment(cpu="1"), autoscaler(cpu_metric("other")))) == [
        "It measures container other, which Deployment/web does not have."
    ]


def test_replicas_beside_an_autoscaler_are_a_warning() -> None:
    """The release succeeds, but it resets what the autoscaler did."""
    web = deployment(cpu="1")
    web["spec"]["replicas"] = 2
    (finding,) = findings_of(CHECK, make_snapshot(web, autoscaler(cpu_metric())))
    assert (finding.severity.value, finding.subject) == ("warning", "Deployment/web")
    assert finding.path == "spec.replicas"
    assert finding.cause.startswith(
        "The chart sets replicas to 2 although HorizontalPodAutoscaler/web scales it"
    )


def test_second_autoscaler_on_one_target_is_a_warning() -> None:
    """Another autoscaler of the same target is a warning, unless this release deletes it."""
    old = live_object({**autoscaler(), "metadata": {"name": "old"}})
    other = live_object({**autoscaler(target="other"), "metadata": {"name": "other"}})
    snapshot = make_snapshot(deployment(cpu="1"), autoscaler(cpu_metric()), lists={AUTOSCALERS: [old, other]})
    assert summaries_of(CHECK, snapshot) == [
        (
            "warning",
            "HorizontalPodAutoscaler/web",
            "HorizontalPodAutoscaler/old in the namespace scales web too.",
        )
    ]
    before = make_manifest({**autoscaler(), "metadata": {"name": "old"}})
    going = make_snapshot(
        deployment(cpu="1"),
        autoscaler(cpu_metric()),
        lists={AUTOSCALERS: [old]},
        live={"last_manifest": before},
    )
    assert summaries_of(CHECK, going) == []
