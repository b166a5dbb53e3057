"""Parses quantities as Kubernetes writes them (`100m`, `0.5`, `128Mi`), exactly.

The kubernetes client has a parser too, but it takes 300 ms to import, on every deployment.
"""

import math
import re
from decimal import Decimal
from typing import Any

# Grammar: `k8s.io/apimachinery/pkg/api/resource/quantity.go`. `K` is not in it, but people write it.
QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?:(?P<suffix>[numkKMGTPE]|[KMGTPE]i)|(?P<exponent>[eE][+-]?\d+))?",
    re.ASCII,
)
DECIMAL_EXPONENTS = {
    "n": -9, "u": -6, "m": -3, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
BINARY_SHIFTS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_quantity(quantity: Any) -> Decimal:
    """Returns the number that a quantity stands for; it may be a string or a number from YAML or JSON.

    Raises:
        ValueError: It is not a quantity.
    """
    parts = QUANTITY.fullmatch(str(quantity))
    if parts is None:
        raise ValueError(f"{quantity!r} is not a quantity of Kubernetes")
    number, suffix = Decimal(parts["number"]), parts["suffix"]
    if parts["exponent"]:
        return Decimal(parts["number"] + parts["exponent"])
    if suffix in BINARY_SHIFTS:
        return number * (1 << BINARY_SHIFTS[suffix])
    return number.scaleb(DECIMAL_EXPONENTS[suffix]) if suffix else number


def millicores(quantity: Any) -> int:
    """Returns CPU in thousandths of a core, rounded up as the scheduler does."""
    return math.ceil(parse_quantity(quantity) * 1000)


def size_bytes(quantity: Any) -> int:
    """Returns memory or storage in bytes, rounded up."""
    return math.ceil(parse_quantity(quantity))
