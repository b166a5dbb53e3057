"""Quantities: the engine's parser agrees with that of the kubernetes client, and is stricter."""

import subprocess
import sys
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from kubernetes.utils.quantity import parse_quantity as parse_with_client

from todo_release.adapters.kubernetes.quantities import millicores, parse_quantity, size_bytes

NUMBERS = ("0", "1", "7", "100", "0.5", ".25", "12.", "1.5", "+3", "-2", "-0.1", "123456789", "007")
SUFFIXES = (
    "", "n", "u", "m", "k", "K", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3",
    "e-3", "E+6", "e0",
)  # fmt: skip
REFUSED_BY_BOTH = (
    "", "m", "Mi", "1.2.3", "1MB", "1mB", "1ki", "abc", "1e", "--1", "1i", "None", "1,5",
)  # fmt: skip
# The client accepts these; the API server does not.
REFUSED_HERE = ("1 Mi", "NaN", "Infinity", "1_000", " 1", "1\n", "1mi", "1ni", "1e3Mi", "1e3k")


@pytest.mark.parametrize("quantity", ["".join(parts) for parts in product(NUMBERS, SUFFIXES)])
def test_parse_agrees_with_the_kubernetes_client(quantity: str) -> None:
    """Every combination of number and suffix has the same value."""
    assert parse_quantity(quantity) == parse_with_client(quantity)  # type: ignore[no-untyped-call]  # not annotated


@pytest.mark.parametrize("quantity", [0, 1, 250, -3, Decimal("0.5"), 2**60])
def test_parse_accepts_numbers(quantity: Any) -> None:
    """YAML and JSON may hold a quantity as a number."""
    assert parse_quantity(quantity) == parse_with_client(quantity)  # type: ignore[no-untyped-call]  # not annotated


def test_parse_of_a_float_is_exact() -> None:
    """0.1 is a tenth, as in JSON; the client takes its binary value, which is more."""
    assert parse_quantity(0.1) == Decimal("0.1")
    assert millicores(0.1) == 100


@pytest.mark.parametrize("quantity", REFUSED_BY_BOTH)
def test_parse_refuses_what_the_client_refuses(quantity: str) -> None:
    """Unknown suffixes and malformed numbers are refused by both."""
    with pytest.raises(ValueError, match=r"[Ii]nvalid|unknown suffix"):
        parse_with_client(quantity)  # type: ignore[no-untyped-call]  # not annotated
    with pytest.raises(ValueError, match="is not a quantity of Kubernetes"):
        parse_quantity(quantity)


@pytest.mark.parametrize("quantity", [*REFUSED_HERE, None, True, [], {}])
def test_parse_refuses_what_the_api_server_refuses(quantity: Any) -> None:
    """The client accepts more than the grammar of Kubernetes."""
    with pytest.raises(ValueError, match="is not a quantity of Kubernetes"):
        parse_quantity(quantity)


def test_cpu_and_memory_are_rounded_up() -> None:
    """The scheduler rounds up to a thousandth of a core and to a byte."""
    assert (millicores("100m"), millicores("1.5"), millicores("1u")) == (100, 1500, 1)
    assert (size_bytes("1Ki"), size_bytes("1.5"), size_bytes("100m")) == (1024, 2, 1)


def test_parser_does_not_import_the_kubernetes_client() -> None:
    """The client takes 300 ms to import."""
    code = "import sys, todo_release.adapters.kubernetes.quantities; sys.exit('kubernetes' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
