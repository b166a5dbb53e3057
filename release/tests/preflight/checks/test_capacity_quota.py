"""What a quota or a LimitRange leaves for a release."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    LIMIT_RANGES,
    QUOTAS,
)
from todo_release.preflight.checks.capacity import CHECK

from ..snapshots import (
    error_causes,
    findings_of,
    workload,
)
from .small_clusters import deployment, make_cluster, node, pod


def quota(used: dict[str, str], **hard: str) -> dict[Any, Any]:
    """Returns a ResourceQuota of the namespace, and one with scopes, which is ignored."""
    names = {key.replace("_", "."): value for key, value in hard.items()}
    scoped = {"metadata": {}, "spec": {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}}
    return {QUOTAS: [{"metadata": {}, "spec": {"hard": names}, "status": {"used": used}}, scoped]}


def test_quota_without_room_for_one_more_pod_is_an_error() -> None:
    """A quota that does not cover the surge is an error on empty nodes too."""
    pods = [pod("web", "n1", "500m")]
    lists = quota({"requests.cpu": "500m"}, requests_cpu="600m")
    (finding,) = findings_of(
        CHECK, make_cluster(deployment("web", "500m"), nodes=[node("n1")], pods=pods, lists=lists)
    )
    assert finding.cause == "web needs 500m and 64Mi, the quota has 100m of requests.cpu left."
    assert finding.remedy == (
        "Set maxSurge 0 and maxUnavailable 1, lower its request to 100m, or raise the quota."
    )


@pytest.mark.parametrize(
    ("lists", "remaining"),
    [
        (quota({"cpu": "1"}, cpu="1"), "0m of requests.cpu"),
        (quota({"memory": "1Gi"}, memory="1030Mi"), "6Mi of requests.memory"),
        (quota({"pods": "3"}, pods="3"), "0 of pods"),
    ],
)
def test_quota_keys_have_short_names_for_requests(lists: dict[Any, Any], remaining: str) -> None:
    """The keys cpu and memory mean requests.cpu and requests.memory."""
    (finding,) = findings_of(CHECK, make_cluster(deployment(), nodes=[node("n1")], lists=lists))
    assert finding.cause.endswith(f"the quota has {remaining} left.")


def test_container_without_a_limit_that_the_quota_counts_is_an_error() -> None:
    """Admission refuses containers without the limits or requests that a quota counts."""
    snapshot = make_cluster(
        deployment(), nodes=[node("n1")], lists=quota({}, limits_cpu="4", requests_memory="4Gi")
    )
    assert error_causes(CHECK, snapshot) == [
        "Container web has no limits of cpu, which the namespace's quota counts: its pods are refused."
    ]


def test_container_outside_the_limit_range_is_an_error() -> None:
    """Admission refuses limits above the maximum and requests below the minimum."""
    rule = {"type": "Container", "max": {"cpu": "200m"}, "min": {"memory": "128Mi", "cpu": "1m"}}
    big = workload(
        containers=[
            {
                "name": "web",
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1m", "memory": "64Mi"}},
            }
        ]
    )
    snapshot = make_cluster(
        big, nodes=[node("n1")], lists={LIMIT_RANGES: [{"metadata": {}, "spec": {"limits": [rule]}}]}
    )
    assert error_causes(CHECK, snapshot) == [
        "Container web has limits of 1 cpu, the LimitRange's max is 200m: its pods are refused.",
        "Container web has requests of 64Mi memory, the LimitRange's min is 128Mi: its pods are refused.",
    ]
