"""Waking reads an annotation that anybody may have written over; the real API server is in `rehearsal`."""

from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.kubernetes.sleep import RELEASE_NAME, REMEMBERED, SCALED, put_to_sleep, wake
from todo_release.errors import ClusterError


@pytest.mark.parametrize("remembered", ["", "two", "-1", "0", "1e3", "99999999"])
def test_number_that_somebody_has_damaged_is_named(remembered: str) -> None:
    """Nothing is scaled to a guess, and nothing is scaled at all."""
    annotations = {RELEASE_NAME: "shop", REMEMBERED: remembered}
    item = {"metadata": {"name": "web", "annotations": annotations}, "spec": {"replicas": 0}}
    cluster: Any = SimpleNamespace(items=lambda path: [item])
    with pytest.raises(ClusterError, match="web cannot be woken") as refused:
        wake(cluster, "staging", "shop", ["Deployment"])
    assert repr(remembered) in refused.value.problem


def test_workload_that_was_scaled_up_without_waking_it_sleeps_again() -> None:
    """A bare `helm upgrade` or kubectl leaves the annotation; it must not keep staging awake for ever."""
    annotations = {RELEASE_NAME: "shop", REMEMBERED: "2"}
    metadata = {"name": "web", "annotations": annotations, "resourceVersion": "7"}
    items = {
        SCALED["Deployment"].path("staging"): [{"metadata": metadata, "spec": {"replicas": 3}}],
        SCALED["StatefulSet"].path("staging"): [],
    }
    patches: list[Any] = []
    cluster: Any = SimpleNamespace(
        items=lambda path: items[path], patch=lambda path, body, manager: patches.append(body)
    )
    assert put_to_sleep(cluster, "staging", "shop") == {"Deployment/web": 3}
    (body,) = patches
    assert (body["spec"], body["metadata"]["annotations"]) == ({"replicas": 0}, {REMEMBERED: "3"})
