"""Quantities as Kubernetes writes them: `100m`, `0.5`, `128Mi`."""

import math
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity


def parse(quantity: Any) -> Decimal:
    """The number that a quantity stands for.

    Raises:
        ValueError: it is none.
    """
    return Decimal(parse_quantity(quantity))  # type: ignore[no-untyped-call]  # not annotated


def millicores(quantity: Any) -> int:
    """CPU in thousandths of a core, rounded up as the scheduler does."""
    return math.ceil(parse(quantity) * 1000)


def size(quantity: Any) -> int:
    """Bytes."""
    return math.ceil(parse(quantity))
