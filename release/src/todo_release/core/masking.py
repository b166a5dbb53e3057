"""Masks what looks like a secret in text that somebody else wrote: pods' logs, events, messages.

The engine never reads the values of an application's Secrets, so it cannot mask them by value as
`adapters.process` does with its own; it knows only how they look.
"""

import re
from collections.abc import Sequence

MASK = "*****"
LOOKS_SECRET = (
    re.compile(
        r"(?P<keep>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.IGNORECASE
    ),  # user:password@ of a URL
    re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(?P<keep>)\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"),  # a JWT
    re.compile(
        r"(?P<keep>\b[\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key|private[_-]?key)[\"']?\s*[=:]\s*[\"']?)"
        r"[^\s\"',;&}]{3,}",
        re.IGNORECASE,
    ),
)


def mask_log(text: str) -> str:
    """The text with passwords in URLs, bearer tokens, JWTs and values of telling names replaced by stars."""
    for pattern in LOOKS_SECRET:
        text = pattern.sub(rf"\g<keep>{MASK}", text)
    return text


MASK = "*****"


def mask(text: str, secrets: Sequence[str]) -> str:
    """Replace every secret in a text by stars; the longest first, so that no secret hides inside another."""
    for secret in sorted((value for value in secrets if value), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
