"""A cluster without a cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from todo_release.kube import Cluster

from .api_double import ApiDouble, serve


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """An API server of one's own, empty."""
    with serve(ApiDouble()) as running:
        yield running


@pytest.fixture
def cluster(api: ApiDouble, tmp_path: Path) -> Cluster:
    """The engine's view of that server."""
    return Cluster.connect("here", api.kubeconfig(tmp_path))
