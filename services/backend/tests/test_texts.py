"""Which titles and descriptions are accepted, and that OpenAPI says the same."""

import re
import sys

import httpx2
import pytest
from pydantic import TypeAdapter, ValidationError

from todo_backend.tasks.schemas import TaskWrite
from todo_backend.tasks.texts import LINE_PATTERN, Title

TITLES = TypeAdapter(Title)
SURROGATES = range(0xD800, 0xE000)


def is_accepted(title: str) -> bool:
    """Says whether the validator takes a title."""
    try:
        TITLES.validate_python(title)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("form", ["{}", "a{}b"])
def test_pattern_in_openapi_accepts_what_the_validator_accepts(form: str) -> None:
    """For each character of Unicode, alone and inside of a title."""
    characters = (chr(code) for code in range(sys.maxunicode + 1) if code not in SURROGATES)
    pattern = re.compile(LINE_PATTERN)
    titles = [form.format(character) for character in characters]
    assert [ascii(title) for title in titles if is_accepted(title) != bool(pattern.search(title))] == []


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Cafe\u0301", "Caf\xe9"),
        ("\u3000 Buy milk\r\n", "Buy milk"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 trip",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 trip",
        ),
        (
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
    ],
)
async def test_title_is_stored_in_one_form(alice: httpx2.AsyncClient, sent: str, stored: str) -> None:
    """Composed, without surrounding whitespace; joiners inside emoji and Persian words stay."""
    assert (await alice.post("/api/todos", json={"title": sent})).json()["title"] == stored


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("\u200b\u2060", "must contain a visible character"),
        ("\u3164", "must contain a visible character"),
        ("\u2800 \u2800", "must contain a visible character"),
        ("a\tb", "must not contain the control character U+0009"),
        ("a\x1b[31mb", "must not contain the control character U+001B"),
        ("a\u2028b", "must not contain the control character U+2028"),
        ("invoice\u202efdp.exe", "must not contain U+202E, which changes the direction of other texts"),
        ("a\u2067b", "must not contain U+2067, which changes the direction of other texts"),
        ("\u0958" * 200, "must have at most 255 characters in the form that is stored"),
    ],
)
async def test_refused_title_is_answered_with_the_reason(
    alice: httpx2.AsyncClient, title: str, reason: str
) -> None:
    """The answer points to the title and names the character, so that a form can show it."""
    response = await alice.post("/api/todos", json={"title": title})
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"location": "body", "pointer": "/title", "detail": f"Value error, {reason}"}
    ]


def test_years_in_openapi_are_those_that_are_accepted() -> None:
    """The pattern of a due date refuses the years that the validator refuses."""
    due_date = TaskWrite.model_json_schema()["properties"]["due_date"]["anyOf"][0]
    years = [1, 1969, 1970, 1999, 2000, 2999, 3000, 9999]
    documented = [year for year in years if re.search(due_date["pattern"], f"{year:04}-06-01T00:00:00Z")]
    assert documented == [1970, 1999, 2000, 2999]
    for year in documented:
        assert TaskWrite.model_validate({"title": "A", "due_date": f"{year}-06-01T00:00:00Z"}).due_date
