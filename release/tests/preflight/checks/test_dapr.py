"""What Dapr refuses, ignores, or replaces by another value."""

from typing import Any

import pytest

from todo_release.preflight.checks.dapr import CHECK
from todo_release.preflight.checks.dapr_schema import COMPONENTS, WORDS, Value
from todo_release.preflight.snapshot import SecretSummary

from ..snapshots import (
    error_causes,
    findings_of,
    make_snapshot,
)
from .dapr_objects import app, causes, component


def test_valid_components_are_no_finding() -> None:
    """Every known type has a valid form, in which switches may be YAML booleans."""
    redis = component(
        "pubsub.redis", redisHost="redis:6379", redisPassword="", concurrency="1", enableTLS=False
    )
    assert causes(component()) == []
    assert causes(redis) == []
    assert causes(component("pubsub.in-memory")) == []


@pytest.mark.parametrize(
    ("values", "severity", "cause"),
    [
        (
            {"authType": "scram"},
            "error",
            "authType is 'scram': Dapr refuses it, and sidecars that load this component exit.",
        ),
        (
            {"saslMechanism": "SCRAM-SHA-256"},
            "error",
            "saslMechanism is 'SCRAM-SHA-256': Dapr silently uses PLAIN instead.",
        ),
        (
            {"scramSHA256AuthEnabled": "true"},
            "warning",
            "pubsub.kafka has no metadata scramSHA256AuthEnabled: Dapr ignores it silently.",
        ),
        (
            {"initialoffset": "oldest", "initialOffset": None},
            "warning",
            "pubsub.kafka has no metadata initialoffset: Dapr ignores it silently.",
        ),
        ({"disableTls": "nope"}, "warning", "disableTls is 'nope': Dapr silently uses false instead."),
        (
            {"maxMessageBytes": "1MB"},
            "error",
            "maxMessageBytes is '1MB': Dapr refuses it, and sidecars that load this component exit.",
        ),
        (
            {"sessionTimeout": "soon"},
            "error",
            "sessionTimeout is 'soon': Dapr refuses it, and sidecars that load this component exit.",
        ),
        (
            {"brokers": None, "authType": ""},
            "error",
            "It has no brokers and no authType: Dapr refuses it, and sidecars that load it exit.",
        ),
        (
            {"saslUsername": None},
            "error",
            "It has no saslUsername: Dapr refuses it, and sidecars that load it exit.",
        ),
        (
            {"authType": "mtls", "disableTls": True},
            "error",
            "authType is mtls although disableTls is true: Dapr refuses it.",
        ),
        (
            {"initialOffset": None},
            "note",
            "initialOffset is not set: a new consumer group starts at the end and misses earlier events.",
        ),
        (
            {"consumerGroup": "{namespace}-web"},
            "warning",
            "consumerGroup contains {namespace}: Dapr then also puts the namespace before every topic.",
        ),
    ],
)
def test_wrong_kafka_metadata_says_what_dapr_does_with_it(
    values: dict[str, Any], severity: str, cause: str
) -> None:
    """Each wrong item is a finding with its consequence: refused, ignored or replaced."""
    assert (severity, cause) in causes(component(**values))


def test_item_names_ignore_case_as_in_dapr() -> None:
    """Dapr ignores the case of most item names."""
    assert causes(component(BROKERS="b", brokers=None, AuthType="Password", authType=None)) == []


def test_similar_item_name_is_offered() -> None:
    """The remedy offers the known name that is most similar."""
    (finding,) = findings_of(CHECK, make_snapshot(app(), component(saslMechanisms="SHA-256")))
    assert finding.remedy == "Write saslMechanism, or remove it."
    assert finding.path == "spec.metadata[8]"


def app_secret(word: str) -> dict[str, Any]:
    """Returns a Secret whose key M holds a word, and the fingerprints of all words."""
    fingerprints = {known: f"print of {known}" for known in WORDS}
    facts = SecretSummary(name="app", keys={"P": "x", "M": f"print of {word}"})
    return {"secrets": [facts], "live": {"word_fingerprints": fingerprints, "secrets": {"app": facts}}}


MECHANISM = {"secretKeyRef": {"name": "app", "key": "M"}}


def test_word_in_a_secret_is_compared_and_never_shown() -> None:
    """A value in a Secret is compared by its fingerprint; the finding names the key only."""
    assert causes(component(saslMechanism=MECHANISM), **app_secret("SHA-512")) == []
    ((severity, cause),) = causes(component(saslMechanism=MECHANISM), **app_secret("SCRAM-SHA-512"))
    assert (severity, cause) == (
        "error",
        "Key M of Secret app is no saslMechanism that Dapr knows: Dapr silently uses PLAIN instead.",
    )


def test_missing_secret_is_left_to_the_references_check() -> None:
    """A missing Secret is no finding here, and words in Secrets ignore case where Dapr does."""
    assert causes(component(saslMechanism=MECHANISM)) == []
    assert causes(component(authType=MECHANISM), **app_secret("Password")) == []


def test_unknown_type_is_a_note() -> None:
    """A component type without known metadata is a note that it was not checked."""
    assert causes(component("pubsub.rabbitmq")) == [
        ("note", "What pubsub.rabbitmq accepts is not known here, so its metadata was not checked.")
    ]


def test_scopes_under_spec_are_an_error() -> None:
    """Helm 4 refuses scopes under spec, and Helm 3 drops them, so every app gets the credentials."""
    wrong = component(spec={"scopes": ["web"]})
    del wrong["scopes"]
    (finding,) = findings_of(CHECK, make_snapshot(app(), wrong))
    assert (finding.severity.value, finding.path) == ("error", "spec.scopes")
    assert finding.remedy == "Move scopes to the top level, beside spec."
    assert causes(component(spec={"colour": "red"})) == [
        ("warning", "spec.colour is no field of a component: Helm 3 drops it silently, Helm 4 fails.")
    ]


def test_missing_scopes_and_unknown_scopes_are_warnings() -> None:
    """A component should be scoped to apps that exist."""
    open_one = {**component(), "scopes": []}
    assert causes(open_one) == [
        ("warning", "It has no scopes, so every app of the namespace receives its credentials.")
    ]
    assert causes({**component(), "scopes": ["wbe"]}) == [
        ("warning", "Its scope wbe is no app id of the chart.")
    ]


def test_ignored_errors_are_a_warning() -> None:
    """The field ignoreErrors hides that Dapr refuses a component."""
    (finding,) = findings_of(CHECK, make_snapshot(app(), component(spec={"ignoreErrors": True})))
    assert finding.path == "spec.ignoreErrors"


@pytest.mark.parametrize(
    ("value", "good", "bad"),
    [
        (Value("duration"), ["5s", "1m30s", "100", "-1s"], ["5 s", "soon", ""]),
        (Value("number"), ["0", "-1"], ["1.5", ""]),
        (Value("switch"), ["true", "FALSE", "1"], ["maybe"]),
        (Value("words", ("a",), is_folded=True), ["A"], ["b"]),
        (Value(), ["", "anything\nat all"], []),
    ],
)
def test_value_accepts_what_dapr_parses(value: Value, good: list[str], bad: list[str]) -> None:
    """Values follow the rules of Go and of Dapr's own decoding."""
    assert [text for text in good if not value.accepts(text)] == []
    assert [text for text in bad if value.accepts(text)] == []
    assert value.allowed


def test_every_required_item_is_a_known_item() -> None:
    """A required item that is not known would make every component wrong."""
    for table in COMPONENTS.values():
        wanted = {*table.required, *(name for names in table.needs.values() for name in names)}
        assert wanted <= table.values.keys()


def test_error_causes_leave_out_notes() -> None:
    """The helper `error_causes` returns only errors."""
    assert error_causes(CHECK, make_snapshot(app(), component(initialOffset=None))) == []
