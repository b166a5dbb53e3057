"""Keeps secrets and what users wrote out of logs.

Masks values by their field's name, and by their shape inside free text such as tracebacks.
"""

import re
from typing import Any

MASK = "***"

_PRIVATE_FIELDS = frozenset(
    {
        "authorization",
        "cookie",
        "database_url",
        "description",
        "email",
        "old",
        "new",
        "password",
        "secret",
        "task",
        "title",
        "token",
    }
)

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\beyJ[\w-]+\.[\w-]*\.[\w-]*"), MASK),  # a JWT
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), rf"\1 {MASK}"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/@]+@"), rf"\1:{MASK}@"),  # the password of a URL
    (re.compile(r"(?i)\b(password|secret)=[^\s&'\"]+"), rf"\1={MASK}"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), MASK),  # an e-mail address
    # PostgreSQL quotes the row it refused, and a row contains what a user wrote.
    (re.compile(r"(Failing row contains|Key) \(.*\)"), rf"\1 ({MASK})"),
)


def mask_text(text: str) -> str:
    """Returns `text` with everything masked that looks like a credential, an e-mail address or a row."""
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


def mask_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of `fields`, nested dictionaries included, that may be written to a log."""
    return {name: MASK if name.lower() in _PRIVATE_FIELDS else _mask(value) for name, value in fields.items()}


def _mask(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return mask_fields(value)
    if isinstance(value, (list, tuple)):
        return [_mask(item) for item in value]
    return value
