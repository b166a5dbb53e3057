"""A cluster without a cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from todo_release import api_server
from todo_release.api_server import ThroughClient
from todo_release.kube import Cluster

from .api_double import ApiDouble, serve


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """An API server of one's own, empty."""
    with serve(ApiDouble()) as running:
        yield running


@pytest.fixture(params=[api_server.connect, ThroughClient.connect], ids=["direct", "through-client"])
def cluster(request: pytest.FixtureRequest, api: ApiDouble, tmp_path: Path) -> Cluster:
    """The engine's view of that server, over each connection there is."""
    return Cluster(request.param("here", api.kubeconfig(tmp_path)), "here")
