"""`ETag` and `If-Match` of a task (RFC 9110): refuses to change a task that has changed since it was read."""

import re
from typing import Annotated, Self

from fastapi import Header

from todo_backend.errors import TaskChangedError

ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def entity_tag(version: int) -> str:
    """Returns the value of the header `ETag` for a version of a task."""
    return f'"{version}"'


class Precondition:
    """What `If-Match` asks for: certain versions of the task, or any."""

    def __init__(self, tags: frozenset[str] | None = None) -> None:
        """Takes the entity tags of which one must be current; None accepts every version."""
        self._tags = tags

    @classmethod
    def from_header(cls, if_match: Annotated[str | None, Header()] = None) -> Self:
        """Returns the precondition of a request. A weak or malformed tag matches nothing, as the RFC says."""
        if if_match is None or if_match.strip() == "*":
            return cls()
        found = ENTITY_TAG.finditer(if_match)
        return cls(frozenset(f'"{tag[2]}"' for tag in found if tag[1] is None))

    def check(self, version: int) -> None:
        """Raises `TaskChangedError` unless `version` is one that was asked for."""
        current = entity_tag(version)
        if self._tags is not None and current not in self._tags:
            raise TaskChangedError(current)
