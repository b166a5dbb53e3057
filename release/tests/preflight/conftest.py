"""The shop in a cluster double, for the tests that inspect it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..doubles.kubernetes_api import ApiDouble, serve
from ..shop import Tree
from .inspected_shop import InspectedShop


@pytest.fixture
def shop(tree: Tree, tmp_path: Path) -> Iterator[InspectedShop]:
    """Returns a shop and a healthy cluster."""
    with serve(ApiDouble()) as api:
        yield InspectedShop(tree, api, tmp_path)
