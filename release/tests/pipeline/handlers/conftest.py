"""The application whose deployments most tests of this folder make."""

import pytest

from ...doubles.harness import Harness
from ...shop import Tree


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which 0.1.0 runs everywhere and 0.2.0 is committed."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    return harness
