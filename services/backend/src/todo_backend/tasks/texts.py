"""Which texts a task may have. A validator and a JSON schema pattern are made of one list of characters.

The lists are fixed and not asked of `unicodedata`, because another Python would then change the contract.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

MAX_TITLE_LENGTH, MAX_DESCRIPTION_LENGTH = 255, 2000
MAX_TAG_LENGTH, MAX_TAGS = 50, 10
MAX_SEARCH_LENGTH = 200

WHITESPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Embeddings, overrides and isolates change the direction of what stands after them (https://trojansource.codes).
DIRECTION = "\u202a-\u202e\u2066-\u2069"
CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
# Formats, fillers and variation selectors: with these alone, a title would be an empty row.
INVISIBLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u206a-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
LINE_PATTERN = (
    f"^[{WHITESPACE}]*[^{CONTROL}{DIRECTION}]*[^{WHITESPACE}{CONTROL}{DIRECTION}{INVISIBLE}]"
    f"[^{CONTROL}{DIRECTION}]*[{WHITESPACE}]*$"
)
TEXT_PATTERN = "^[^\x00]*$"

_SURROUNDING = re.compile(f"^[{WHITESPACE}]+|[{WHITESPACE}]+$")
_CONTROL = re.compile(f"[{CONTROL}]")
_DIRECTION = re.compile(f"[{DIRECTION}]")
_VISIBLE = re.compile(f"[^{WHITESPACE}{CONTROL}{DIRECTION}{INVISIBLE}]")


@dataclass(frozen=True, slots=True)
class DocumentedPattern:
    """Adds a pattern to a JSON schema; a validator refuses the same values with a better message."""

    pattern: str

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Returns the schema of the annotated type with the pattern."""
        return handler(core_schema) | {"pattern": self.pattern}


def _line(text: str, max_length: int) -> str:
    """Returns the text in NFC, in which equal texts are equal strings, without surrounding whitespace."""
    line = unicodedata.normalize("NFC", _SURROUNDING.sub("", text))
    if found := _CONTROL.search(line):
        raise ValueError(f"must not contain the control character {_name(found[0])}")
    if found := _DIRECTION.search(line):
        raise ValueError(f"must not contain {_name(found[0])}, which changes the direction of other texts")
    if not _VISIBLE.search(line):
        raise ValueError("must contain a visible character")
    return _within(line, max_length)


def _title(text: str) -> str:
    return _line(text, MAX_TITLE_LENGTH)


def _tag(text: str) -> str:
    return _within(_line(text, MAX_TAG_LENGTH).lower(), MAX_TAG_LENGTH)


def _without_repetition(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _description(text: str) -> str:
    return _within(_storable(text), MAX_DESCRIPTION_LENGTH)


def _storable(text: str) -> str:
    if "\x00" in text:  # the one character that PostgreSQL cannot store
        raise ValueError("must not contain the character U+0000")
    return unicodedata.normalize("NFC", text)


def _search(text: str) -> str:
    return _SURROUNDING.sub("", _storable(text))


def _within(text: str, max_length: int) -> str:
    if len(text) > max_length:  # a few characters of Unicode are longer in NFC or in lower case
        raise ValueError(f"must have at most {max_length} characters in the form that is stored")
    return text


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


Title = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TITLE_LENGTH),
    AfterValidator(_title),
    DocumentedPattern(LINE_PATTERN),
]
Description = Annotated[
    str,
    Field(max_length=MAX_DESCRIPTION_LENGTH),
    AfterValidator(_description),
    DocumentedPattern(TEXT_PATTERN),
]
Tag = Annotated[
    str,
    Field(min_length=1, max_length=MAX_TAG_LENGTH),
    AfterValidator(_tag),
    DocumentedPattern(LINE_PATTERN),
]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_without_repetition)]
Search = Annotated[
    str,
    Field(max_length=MAX_SEARCH_LENGTH),
    AfterValidator(_search),
    DocumentedPattern(TEXT_PATTERN),
]
TagPrefix = Annotated[
    str,
    Field(max_length=MAX_TAG_LENGTH),
    AfterValidator(lambda text: _search(text).lower()),
    DocumentedPattern(TEXT_PATTERN),
]
