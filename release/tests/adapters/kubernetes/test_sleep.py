"""Waking reads an annotation that anybody may have written over; the real API server is in `rehearsal`."""

from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.kubernetes.sleep import RELEASE_NAME, REMEMBERED, wake
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
