"""Masking of secrets, by value and by how they look."""

import pytest

from todo_release.core.masking import mask, mask_log

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://todo:hunter2@db:5432/todo", "postgres://todo:*****@db:5432/todo"),
        ("redis://:hunter2@cache", "redis://:*****@cache"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer *****"),
        (f"got {JWT} from you", "got ***** from you"),
        ('{"password": "hunter2", "user": "ana"}', '{"password": "*****", "user": "ana"}'),
        ("BETTER_AUTH_SECRET=s3cr3t other=1", "BETTER_AUTH_SECRET=***** other=1"),
        ("api-key: 12345", "api-key: *****"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    """Passwords in URLs, bearer tokens, JWTs and values after names such as `password` become stars."""
    assert mask_log(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "GET https://shop.example/items?page=2 200",
        "token expired",
        "listening on 0.0.0.0:8000",
        "user@example.com",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    """Text that only resembles a secret is not changed."""
    assert mask_log(text) == text


def test_mask_replaces_the_longest_secret_first() -> None:
    """A secret that begins with another leaves no rest, and an empty secret masks nothing."""
    assert mask("abc abcdef", ["abc", "", "abcdef"]) == "***** *****"
