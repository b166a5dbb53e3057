"""Masks secrets in text: known ones by value, unknown ones by how they look.

The engine masks its own secrets by value. It never reads the values of an application's Secrets, so in text
that others wrote (logs of pods, events, messages) it can only mask what looks like a secret. This is the
engine's only list of such patterns.
"""

import re
from collections.abc import Sequence

MASK = "*****"
HIDDEN = "(hidden)"  # for the value of a Secret, of which not even the length is shown
SECRET_PATTERNS = (
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
    """Returns the text with everything that looks like a secret replaced by stars.

    That is: passwords in URLs, bearer tokens, JWTs, and values after names such as `password` or `token`.
    """
    for pattern in SECRET_PATTERNS:
        text = pattern.sub(rf"\g<keep>{MASK}", text)
    return text


def mask(text: str, secrets: Sequence[str]) -> str:
    """Returns the text with these secrets replaced by stars.

    The longest secret is replaced first, so that no rest of it stays when another one is its beginning.
    """
    for secret in sorted((value for value in secrets if value), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
