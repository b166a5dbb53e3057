"""Git pathspecs, matched without a git process: which paths do `include` and `exclude` select?

The rules are those of git's `:(top,glob)` pathspecs: a pattern selects the path that it names, everything
below a folder that it names, and what its glob matches, where `*` and `?` never match a slash and `**`
between slashes matches any number of folders (gitglossary(7), "pathspec"). A test compares with git itself.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

CHARACTER_CLASSES = {
    "alnum": "A-Za-z0-9", "alpha": "A-Za-z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "\\x21-\\x7e", "lower": "a-z", "print": "\\x20-\\x7e", "punct": "!-/:-@\\[-`{-~",
    "space": "\\s", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def select(paths: Iterable[str], include: Sequence[str], exclude: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns the sorted paths that a pattern of `include` matches and none of `exclude`."""
    return tuple(sorted(path for path in set(paths) if matches(path, include, exclude)))


def matches(path: str, include: Sequence[str], exclude: Sequence[str] = ()) -> bool:
    """Returns whether a pattern of `include` matches a path and none of `exclude`."""
    return any(_compiled(pattern).match(path) for pattern in include) and not any(
        _compiled(pattern).match(path) for pattern in exclude
    )


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    if not pattern:
        return re.compile("")
    end = "" if pattern.endswith("/") else r"(?:/|\Z)"
    return re.compile(rf"{re.escape(pattern)}{end}|(?:{_translated(pattern)})\Z", re.DOTALL)


def _translated(glob: str) -> str:
    """Returns a glob as a regular expression."""
    parts, at = [], 0
    while at < len(glob):
        character = glob[at]
        if character == "*":
            stars = len(glob[at:]) - len(glob[at:].lstrip("*"))
            before, after = glob[:at], glob[at + stars :]
            is_whole = stars >= 2 and (not before or before.endswith("/")) and after[:1] in {"", "/"}
            if is_whole and after:
                parts.append("(?:.*/)?")
                stars += 1
            else:
                parts.append(".*" if is_whole else "[^/]*")
            at += stars
        elif character == "[" and (bracket := _bracket(glob, at)):
            parts.append(bracket[0])
            at = bracket[1]
        else:
            if character == "\\" and at + 1 < len(glob):
                at += 1
            parts.append("[^/]" if character == "?" else re.escape(glob[at]))
            at += 1
    return "".join(parts)


def _bracket(glob: str, start: int) -> tuple[str, int] | None:
    """Returns the bracket expression at an index and the index after it; None if it has no end."""
    at = start + 1
    is_negated = glob[at : at + 1] in {"!", "^"}
    at += is_negated
    first, inner = at, []
    while at < len(glob) and (glob[at] != "]" or at == first):
        named = re.match(r"\[:(\w+):\]", glob[at:])
        if named and named[1] in CHARACTER_CLASSES:
            inner.append(CHARACTER_CLASSES[named[1]])
            at += named.end()
            continue
        if glob[at] == "\\" and at + 1 < len(glob):
            at += 1
            inner.append(re.escape(glob[at]))
        else:
            inner.append("-" if glob[at] == "-" and first < at else re.escape(glob[at]))
        at += 1
    if at >= len(glob):
        return None
    # A range like `z-a` matches nothing; no bracket matches a slash.
    text = f"(?!/)[{'^' if is_negated else ''}{''.join(inner)}]"
    try:
        re.compile(text)
    except re.error:
        text = "(?!)"
    return text, at + 1
