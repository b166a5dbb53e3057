"""What Dapr refuses, ignores, or replaces by another value."""

from dataclasses import replace
from typing import Any

import pytest

from todo_release.config.model import TargetEnvironment
from todo_release.preflight.checks.dapr import CHECK
from todo_release.preflight.checks.dapr_schema import COMPONENTS, WORDS, Value
from todo_release.preflight.snapshot import PreflightSnapshot, SecretSummary, SiblingEnvironment

from ..snapshots import (
    error_causes,
    findings_of,
    make_config,
    make_manifest,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)

GOOD = {
    "brokers": "broker.shop.test:9092",
    "authType": "password",
    "saslUsername": "shop",
    "saslMechanism": "SHA-256",
    "initialOffset": "oldest",
    "consumerGroup": "staging-{appID}",
    "backOffDuration": "5s",
}


def component(
    kind: str = "pubsub.kafka", spec: dict[str, Any] | None = None, **values: Any
) -> dict[str, Any]:
    """Returns a valid component with other values; None removes an item, a dict is a whole item."""
    items_by_name = (
        {**GOOD, "saslPassword": {"secretKeyRef": {"name": "app", "key": "P"}}}
        if kind == "pubsub.kafka"
        else {}
    ) | values
    items = [
        {"name": name, **(value if isinstance(value, dict) else {"value": value})}
        for name, value in items_by_name.items()
        if value is not None
    ]
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "pubsub"},
        "spec": {"type": kind, "version": "v1", "metadata": items, **(spec or {})},
        "scopes": ["web"],
    }


def app(**annotations: str) -> dict[str, Any]:
    """Returns a workload with a sidecar."""
    named = {f"dapr.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    ports = [{"containerPort": 8000}]
    return workload(
        annotations={"dapr.io/enabled": "true", "dapr.io/app-id": "web", **named},
        containers=[{"name": "web", "image": "a", "ports": ports}],
    )


def causes(*objects: dict[str, Any], **rest: Any) -> list[tuple[str, str]]:
    """Returns (severity, cause) of what is found beside a valid app."""
    return [
        (severity, cause)
        for severity, _, cause in summaries_of(CHECK, make_snapshot(app(), *objects, **rest))
    ]


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
    ("annotations", "cause"),
    [
        ({"app_prot": "http"}, "Dapr knows no annotation dapr.io/app-prot, and ignores it."),
        ({"wildly_unlike": "x"}, "Dapr knows no annotation dapr.io/wildly-unlike, and ignores it."),
        (
            {"app_protocol": "htpp"},
            "The annotation dapr.io/app-protocol is 'htpp', which Dapr does not understand.",
        ),
        (
            {"app_port": "9999"},
            "The sidecar calls the app on port 9999, the containers declare 8000.",
        ),
    ],
)
def test_annotation_that_the_injector_does_not_understand_is_a_warning(
    annotations: dict[str, str], cause: str
) -> None:
    """The injector ignores unknown annotations and values."""
    assert summaries_of(CHECK, make_snapshot(app(**annotations))) == [("warning", "Deployment/web", cause)]


def test_annotations_without_a_sidecar_are_no_finding() -> None:
    """Annotations count only for pods with a sidecar, and only those of Dapr."""
    assert summaries_of(CHECK, make_snapshot(workload(annotations={"dapr.io/app-prot": "http"}))) == []
    assert (
        summaries_of(
            CHECK, make_snapshot(workload(annotations={"dapr.io/enabled": "true", "example/x": "y"}))
        )
        == []
    )


def test_app_id_of_two_workloads_is_a_warning() -> None:
    """Dapr sends requests for a shared app id to either workload."""
    other = app()
    other["metadata"]["name"] = "other"
    assert summaries_of(CHECK, make_snapshot(app(), other)) == [
        (
            "warning",
            "Deployment/other",
            "It has the app id web, like Deployment/web: Dapr takes them for replicas of one app.",
        )
    ]


def configuration(**spec: Any) -> dict[str, Any]:
    """Returns a Configuration."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": "web"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"tracing": {"samplingRate": "0.1"}, "accessControl": {"defaultAction": "deny"}}, []),
        ({"traicng": {}}, ["A Configuration has no spec.traicng."]),
        ({"tracing": {"samplingRate": "10%"}}, ["tracing.samplingRate is '10%': Dapr uses 0.0001 instead."]),
        ({"tracing": {"samplingRate": "7"}}, ["tracing.samplingRate is '7': Dapr uses 0.0001 instead."]),
        (
            {"accessControl": {"defaultAction": "block"}},
            ["accessControl.defaultAction is 'block': Dapr uses deny instead."],
        ),
    ],
)
def test_configuration_with_unknown_keys_or_values_is_a_warning(
    spec: dict[str, Any], expected: list[str]
) -> None:
    """Unknown keys, sampling rates and default actions are warnings."""
    assert causes(configuration(**spec)) == [("warning", cause) for cause in expected]


def resiliency(name: str, **used: str) -> dict[str, Any]:
    """Returns policies for a component."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Resiliency",
        "metadata": {"name": "web"},
        "spec": {
            "policies": {"retries": {"delivery": {}}},
            "targets": {"components": {name: {"inbound": used}}},
        },
    }


def test_resiliency_with_missing_components_or_policies_is_a_warning() -> None:
    """Dapr ignores targets and policies that do not exist."""
    assert causes(component(), resiliency("pubsub", retry="delivery")) == []
    assert causes(component(), resiliency("pubsub", retry="delivry")) == [
        ("warning", "pubsub uses the retry policy delivry, which is not defined: Dapr applies none.")
    ]
    assert causes(component(), resiliency("pubsup", retry="delivery")) == [
        ("warning", "It has policies for the component pubsup, which the chart does not have.")
    ]


def with_sibling(
    ours: dict[str, Any], theirs: dict[str, Any], prefix: str | None, other: str | None
) -> PreflightSnapshot:
    """Returns staging with a component and a topic prefix, beside production with others."""
    settings: TargetEnvironment = make_config().environment("production")
    sibling = SiblingEnvironment(
        name="production", settings=settings, manifest=make_manifest(theirs), topic_prefix=other
    )
    snapshot = make_snapshot(app(), ours, config=make_config(preflight={"topic_prefix": "pubsub.prefix"}))
    return replace(snapshot, siblings=[sibling], topic_prefix=prefix)


BY_SECRET = {"secretKeyRef": {"name": "app", "key": "BROKERS"}}
LOCAL = component("pubsub.redis", redisHost="redis:6379")


@pytest.mark.parametrize(
    ("snapshot", "severities"),
    [
        (with_sibling(component(), component(), "", ""), ["error"]),
        (with_sibling(component(), component(), "staging-", ""), []),
        (with_sibling(component(), component(), None, None), []),
        (with_sibling(component(), component(brokers="other.shop.test:9092"), "", ""), []),
        (with_sibling(component(brokers=BY_SECRET), component(brokers=BY_SECRET), "x-", "x-"), ["warning"]),
        (with_sibling(LOCAL, LOCAL, "", ""), []),
        (with_sibling(component(), LOCAL, "", ""), []),
        (with_sibling(component("pubsub.in-memory"), component("pubsub.in-memory"), "", ""), []),
    ],
    ids=["same", "prefixed", "unknown", "other broker", "secret", "local names", "other type", "no broker"],
)
def test_two_environments_on_one_broker_need_different_topics(
    snapshot: PreflightSnapshot, severities: list[str]
) -> None:
    """Equal topics on one broker are an error; a host without a dot differs in each namespace."""
    assert severities_of(CHECK, snapshot) == severities


def test_shared_topics_name_the_value_to_change() -> None:
    """The remedy names the value that holds the prefix."""
    (finding,) = findings_of(CHECK, with_sibling(component(), component(), "", ""))
    assert finding.cause == (
        "Topics have no prefix in staging and in production. They share a broker, so each environment"
        " consumes"
        " the other's events."
    )
    assert finding.remedy == "Give one of them another pubsub.prefix in its values."
    (unsure,) = findings_of(
        CHECK, with_sibling(component(brokers=BY_SECRET), component(brokers=BY_SECRET), "x-", "x-")
    )
    assert unsure.cause == (
        "Topics begin with 'x-' in staging and in production. If both use one broker, each environment"
        " consumes the other's events."
    )


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
