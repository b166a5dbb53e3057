"""Reads the numbers of YAML as Go does: `strconv.ParseInt` with base 0, then `strconv.ParseFloat`."""

import math
import re

INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]([0-7]+)|0[bB]([01]+)|0([0-7]+)|(0|[1-9][0-9]*))")
BASES = (16, 8, 2, 8, 10)
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SMALLEST, GREATEST, GREATEST_SIGNED = -(2**63), 2**64 - 1, 2**63 - 1


def parse(text: str) -> int | float | None:
    """Returns the number that a plain scalar is; None when it is a string.

    A float without a fraction becomes an int, because JSON has one kind of number.
    """
    if text.startswith("."):
        return _float(text) if FLOAT.fullmatch(text) else None
    digits = text.replace("_", "")
    if match := INTEGER.fullmatch(digits):
        sign, *groups = match.groups()
        number, base = next((group, base) for group, base in zip(groups, BASES, strict=True) if group)
        value = int(sign + number, base)
        # Only numbers without a sign may use the 64th bit.
        if SMALLEST <= value <= (GREATEST_SIGNED if sign else GREATEST):
            return value
    return _float(digits) if FLOAT.fullmatch(digits) else None


def _float(text: str) -> int | float | None:
    value = float(text)
    if not math.isfinite(value):
        return None  # out of range: Go reports an error, and the scalar is a string
    return int(value) if value.is_integer() and SMALLEST <= value <= GREATEST_SIGNED else value
