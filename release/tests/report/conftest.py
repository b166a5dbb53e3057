"""The application whose releases the tests of this folder show."""

import pytest

from ..doubles.harness import Harness
from ..shop import Tree


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which nothing was released."""
    return Harness(tree.path)
