"""Whether autoscalers can do their work."""

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


def scaler(
    *metrics: dict[str, Any], target: str = "web", kind: str = "Deployment", **spec: Any
) -> dict[str, Any]:
    """An autoscaler of a workload."""
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


def cpu(container: str | None = None) -> dict[str, Any]:
    """A metric on CPU, of the pod or of one container."""
    target = {"type": "Utilization", "averageUtilization": 80}
    if container is None:
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    return {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": container, "target": target},
    }


def sized(**requests: str) -> dict[str, Any]:
    """A Deployment whose container has these requests."""
    return workload(containers=[{"name": "web", "image": "a", "resources": {"requests": requests}}])


def test_sound_autoscaler_says_nothing() -> None:
    """Of a whole pod and of one container; other kinds of metrics need no request."""
    external = {"type": "External", "external": {"metric": {"name": "queue"}}}
    assert summaries_of(CHECK, make_snapshot(sized(cpu="1"), scaler(cpu(), cpu("web"), external))) == []


@pytest.mark.parametrize("problem", ["is not installed", "does not answer (503)"])
def test_metrics_api_that_does_not_serve_is_a_warning(problem: str) -> None:
    """The rollout succeeds, the scaling does not."""
    assert summaries_of(
        CHECK, make_snapshot(sized(cpu="1"), scaler(cpu()), live={"metrics_problem": problem})
    ) == [
        (
            "warning",
            "HorizontalPodAutoscaler/web",
            f"The metrics API {problem}, so 1 autoscalers cannot act.",
        )
    ]
    assert (
        summaries_of(CHECK, make_snapshot(sized(cpu="1"), scaler(), live={"metrics_problem": problem})) == []
    )


def test_metrics_api_that_may_not_be_asked_is_a_note() -> None:
    """No alarm without a look."""
    unread = {"metrics": "the metrics API may not be asked (403)"}
    assert severities_of(CHECK, make_snapshot(sized(cpu="1"), scaler(cpu()), live={"unread": unread})) == [
        "note"
    ]


def test_bounds_that_contradict_each_other_are_refused() -> None:
    """By the API server, in the middle of the release."""
    assert error_causes(CHECK, make_snapshot(sized(cpu="1"), scaler(minReplicas=4))) == [
        "minReplicas 4 is more than maxReplicas 3: the API server refuses it."
    ]


def test_target_must_exist_in_the_chart_or_the_namespace() -> None:
    """Kinds that are not looked at are taken on trust."""
    assert error_causes(CHECK, make_snapshot(scaler(target="gone"))) == [
        "It scales Deployment/gone, which does not exist."
    ]
    there = {DEPLOYMENTS: [live_object(workload("gone"))]}
    assert summaries_of(CHECK, make_snapshot(scaler(target="gone"), lists=there)) == []
    assert summaries_of(CHECK, make_snapshot(scaler(target="gone", kind="Rollout"))) == []


def test_utilization_needs_the_request_that_it_is_a_share_of() -> None:
    """In every container it looks at."""
    assert error_causes(CHECK, make_snapshot(sized(memory="1Gi"), scaler(cpu()))) == [
        "Container web of Deployment/web has no cpu request, of which the target utilization is a percentage."
    ]
    assert error_causes(CHECK, make_snapshot(sized(cpu="1"), scaler(cpu("other")))) == [
        "It measures container other, which Deployment/web does not have."
    ]


def test_replicas_beside_an_autoscaler_are_an_error() -> None:
    """Every release would take back what the load asked for."""
    web = sized(cpu="1")
    web["spec"]["replicas"] = 2
    (finding,) = findings_of(CHECK, make_snapshot(web, scaler(cpu())))
    assert (finding.subject, finding.path) == ("Deployment/web", "spec.replicas")
    assert finding.cause.startswith(
        "The chart sets replicas to 2 although HorizontalPodAutoscaler/web scales it"
    )


def test_second_autoscaler_on_one_target_is_a_warning() -> None:
    """Unless it goes with this release."""
    old = live_object({**scaler(), "metadata": {"name": "old"}})
    other = live_object({**scaler(target="other"), "metadata": {"name": "other"}})
    snapshot = make_snapshot(sized(cpu="1"), scaler(cpu()), lists={AUTOSCALERS: [old, other]})
    assert summaries_of(CHECK, snapshot) == [
        (
            "warning",
            "HorizontalPodAutoscaler/web",
            "HorizontalPodAutoscaler/old in the namespace scales web too.",
        )
    ]
    before = make_manifest({**scaler(), "metadata": {"name": "old"}})
    going = make_snapshot(
        sized(cpu="1"), scaler(cpu()), lists={AUTOSCALERS: [old]}, live={"last_manifest": before}
    )
    assert summaries_of(CHECK, going) == []
