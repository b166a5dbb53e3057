"""Checks of values by their text."""

import pytest

from todo_cluster.secrets.text_checks import check_difference, check_texts

GOOD_SECRET = "k9Zq3vN1xB7tYpL0sWe5Hc2mRf8uJd6a"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ANY", "", "empty"),
        ("ANY", "  ", "empty"),
        ("ANY", "value\n", "white space"),
        ("ANY", "<GITHUB_PAT>", "placeholder"),
        ("ANY", "changeme", "placeholder"),
        ("DATABASE_URL", "postgresql://user:password@db/todo", "placeholder"),
        ("BETTER_AUTH_SECRET", "short", "5 characters"),
        ("BETTER_AUTH_SECRET", "ab" * 20, "few characters"),
        ("BETTER_AUTH_SECRETS", "only-a-secret", "VERSION:SECRET"),
        ("BETTER_AUTH_SECRETS", f"1:{GOOD_SECRET},1:{GOOD_SECRET}", "twice"),
        ("BETTER_AUTH_SECRETS", "1:short", "5 characters"),
        ("token", "short", "5 characters"),
        ("REDPANDA_SASL_MECHANISM", "SCRAM-SHA-256", "silently use PLAIN"),
        ("REDPANDA_BROKERS", "https://broker:9092", "addresses"),
        ("REDPANDA_CA_CERT", "MIIB", "PEM"),
    ],
)
def test_wrong_text_is_a_problem(key: str, value: str, expected: str) -> None:
    """The problem names the key and never the value."""
    [problem] = check_texts({key: value})
    assert problem.key == key
    assert expected in problem.text
    assert not value.strip() or value.strip() not in f"{problem.text} {problem.remedy}".split()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ANY", "x"),
        ("BETTER_AUTH_SECRET", GOOD_SECRET),
        ("BETTER_AUTH_SECRETS", f"2:{GOOD_SECRET},1:{GOOD_SECRET}"),
        ("REDPANDA_SASL_MECHANISM", "SHA-512"),
        ("REDPANDA_BROKERS", "a.example.com:9092,b.example.com:9092"),
        ("REDPANDA_CA_CERT", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
    ],
)
def test_right_text_is_no_problem(key: str, value: str) -> None:
    """A PEM may end with a line break."""
    assert list(check_texts({key: value})) == []


def test_value_of_another_environment_is_a_problem() -> None:
    """Names of accounts may be shared, what signs or proves may not."""
    own = {"BETTER_AUTH_SECRET": "a", "REDPANDA_BROKERS": "b"}
    [problem] = check_difference(own, {"production": {**own}})
    assert problem.key == "BETTER_AUTH_SECRET"
    assert "production" in problem.text
