"""Checks of values that need nobody else: placeholders, length, form, and what must differ by environment."""

import re
from collections.abc import Callable, Iterator, Mapping

from todo_cluster.broker import MECHANISMS
from todo_cluster.secrets.problem import ValueProblem

# Better Auth demands the length; its own warning about guessable secrets is at 120 bits of this measure.
MIN_SECRET_CHARACTERS = 32
MIN_DIFFERENT_CHARACTERS = 10
PLACEHOLDER = re.compile(
    r"^<.*>$|^\$\{.*\}$|^(todo|tbd|xxx+|placeholder|example|your[-_ ].*|secret|password|dummy)$"
    r"|change[-_ ]?me|your[-_]password|user:password@|<[A-Z_]+>",
    re.IGNORECASE,
)
ADDRESSES = re.compile(r"^[A-Za-z0-9.-]+:\d{1,5}(,[A-Za-z0-9.-]+:\d{1,5})*$")
# One environment must not be able to act as the other.
PER_ENVIRONMENT = (
    "BETTER_AUTH_SECRET",
    "BETTER_AUTH_SECRETS",
    "DATABASE_URL",
    "FRONTEND_DATABASE_URL",
    "token",
)

Check = Callable[[str], Iterator[tuple[str, str]]]


def check_texts(values: Mapping[str, str]) -> Iterator[ValueProblem]:
    """Yields what is wrong with the texts by themselves."""
    for key, value in values.items():
        if general := next(_general(value), None):
            yield ValueProblem(key, *general)
            continue
        for text, remedy in FORMS.get(key, _nothing)(value):
            yield ValueProblem(key, text, remedy)


def check_difference(
    values: Mapping[str, str], others: Mapping[str, Mapping[str, str]]
) -> Iterator[ValueProblem]:
    """Yields the keys whose value is another environment's too."""
    for key in PER_ENVIRONMENT:
        for name, theirs in others.items():
            if values.get(key) and values[key] == theirs.get(key):
                yield ValueProblem(
                    key,
                    f"{name} has the same value.",
                    "Use one of its own, so that neither can act as the other.",
                )


def _general(value: str) -> Iterator[tuple[str, str]]:
    if not value.strip():
        yield "It is empty.", "Give it a value."
    elif value != value.strip() and "-----" not in value:
        yield "It begins or ends with white space, often a line break of a file.", "Remove it."
    elif PLACEHOLDER.search(value):
        yield "It is a placeholder.", "Put the real value there."


def _random_text(value: str) -> Iterator[tuple[str, str]]:
    if len(value) < MIN_SECRET_CHARACTERS:
        yield (
            f"It has {len(value)} characters and needs at least {MIN_SECRET_CHARACTERS}.",
            "Generate one with `openssl rand -base64 32`.",
        )
    elif len(set(value)) < MIN_DIFFERENT_CHARACTERS:
        yield (
            "It repeats few characters, so it can be guessed.",
            "Generate one with `openssl rand -base64 32`.",
        )


def _versioned_secrets(value: str) -> Iterator[tuple[str, str]]:
    """Checks `2:SECRET,1:SECRET`, the form that Better Auth reads; the first one is the current one."""
    parts = [part.partition(":") for part in value.split(",")]
    versions = [version.strip() for version, _, _ in parts]
    if not all(version.isdigit() and secret for version, _, secret in parts):
        yield "It is not a list of VERSION:SECRET.", "Let `inv secrets.rotate` write it."
    elif len(set(versions)) < len(versions):
        yield "It has one version twice.", "Let `inv secrets.rotate` write it."
    else:
        yield from _random_text(parts[0][2])


def _mechanism(value: str) -> Iterator[tuple[str, str]]:
    if value not in MECHANISMS:
        yield (
            "It is not a mechanism that Dapr knows, and Dapr would silently use PLAIN.",
            f"Write exactly {' or '.join(MECHANISMS)}.",
        )


def _addresses(value: str) -> Iterator[tuple[str, str]]:
    if not ADDRESSES.match(value):
        yield "It is not a list of addresses.", "Write HOST:PORT, separated by commas, without a scheme."


def _certificates(value: str) -> Iterator[tuple[str, str]]:
    if "-----BEGIN CERTIFICATE-----" not in value:
        yield "It is not a certificate in PEM.", "Give the authority's file, with its BEGIN and END lines."


def _nothing(_value: str) -> Iterator[tuple[str, str]]:
    return iter(())


FORMS: Mapping[str, Check] = {
    "BETTER_AUTH_SECRET": _random_text,
    "BETTER_AUTH_SECRETS": _versioned_secrets,
    "token": _random_text,
    "REDPANDA_SASL_MECHANISM": _mechanism,
    "REDPANDA_BROKERS": _addresses,
    "REDPANDA_CA_CERT": _certificates,
}
