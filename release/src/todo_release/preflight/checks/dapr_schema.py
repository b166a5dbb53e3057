"""What Dapr accepts: metadata of component types, annotations, and the keys of Component and Configuration.

Dapr ignores a name that it does not know and, for some names, an unknown value; it logs neither.

Sources: the items of each component type come from dapr_metadata.json, generated from the `metadata.yaml`
files of the pinned components-contrib module. `_CODE` adds what only Go code says: components-contrib
`common/component/kafka` and `common/component/redis`, dapr `pkg/injector/annotations` and
`pkg/apis/configuration`, versions 1.16 to 1.18. Tests compare both with the pinned modules.

To add a type, add it to TYPES in release/tests/preflight/checks/generate_dapr_metadata.py and run that file.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, Literal

Kind = Literal["text", "switch", "number", "duration", "words"]
SWITCHES = ("true", "false", "yes", "no", "y", "n", "t", "f", "on", "off", "1", "0")
PATTERNS: Mapping[Kind, re.Pattern[str]] = {
    "text": re.compile(r".*", re.DOTALL),
    "switch": re.compile("|".join(SWITCHES), re.IGNORECASE),
    "number": re.compile(r"-?\d+"),
    "duration": re.compile(r"-?(\d+|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """The values that one metadata item or annotation accepts.

    Attributes:
        kind: How Dapr parses the value.
        words: The allowed words, for the kind "words".
        ignored: What Dapr uses instead of an unknown value; empty when it refuses the component.
        is_exact: The case of the item's name matters, because Dapr's code looks the name up itself.
        is_folded: The case of the words does not matter.
    """

    kind: Kind = "text"
    words: tuple[str, ...] = ()
    ignored: str = ""
    is_exact: bool = False
    is_folded: bool = False

    def accepts(self, text: str) -> bool:
        """Returns whether Dapr understands a value."""
        if self.kind == "words":
            return (text.lower() if self.is_folded else text) in self.words
        return PATTERNS[self.kind].fullmatch(text) is not None

    @property
    def spellings(self) -> tuple[str, ...]:
        """The usual spellings of the words: several for each word when Dapr ignores case."""
        if not self.is_folded:
            return self.words
        return tuple(change(word) for word in self.words for change in (str, str.upper, str.capitalize))

    @property
    def allowed(self) -> str:
        """The allowed values, for messages."""
        return {
            "text": "any text",
            "switch": "true or false",
            "number": "a whole number",
            "duration": "a duration such as 5s",
            "words": ", ".join(self.words),
        }[self.kind]


@dataclass(frozen=True, slots=True)
class ComponentType:
    """The metadata of a component type.

    Attributes:
        values: The accepted values by item name.
        required: Items that every component of the type must have.
        needs: Items that a component must also have when an item has a value, by (item, value).
        prefixes: Beginnings of item names that Dapr passes on to a library.
    """

    values: Mapping[str, Value]
    required: tuple[str, ...] = ()
    needs: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()

    def find(self, name: str) -> Value | None:
        """Returns the value that an item accepts; None when Dapr ignores the name."""
        for known, value in self.values.items():
            if name == known or (name.lower() == known.lower() and not value.is_exact):
                return value
        is_passed_on = any(name.lower().startswith(prefix.lower()) for prefix in self.prefixes)
        return Value() if is_passed_on else None


TEXT, SWITCH, NUMBER, DURATION = Value(), Value("switch", ignored="false"), Value("number"), Value("duration")
_DECLARED_TYPES: Mapping[str, Value] = {
    "string": TEXT,
    "bool": SWITCH,
    "number": NUMBER,
    "duration": DURATION,
}


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What Dapr's code does with the metadata of a type beyond, or against, its metadata.yaml.

    Attributes:
        values: Undeclared items, and more words, exact names or folded case for declared ones.
        unused: Declared items that the code of this type does not read.
        optional: Items that a declared profile requires and the code does not, by (item, value).
        needs: Items that the code requires beside an item's value, by (item, value).
        prefixes: Beginnings of item names that the code passes on to a library.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    unused: frozenset[str] = frozenset()
    optional: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    needs: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()


_REDIS = {
    "redisType": Value("words", ("node", "cluster"), ignored="node"),
    "useAzureAD": SWITCH,  # the former name of useEntraID
}
CODE_FACTS: Mapping[str, CodeFacts] = {
    "pubsub.kafka": CodeFacts(
        values={
            "consumerID": TEXT,
            "authRequired": SWITCH,  # the former form of authType
            "caCert": Value(is_exact=True),
            "consumeRetryInterval": Value(is_exact=True),
            "channelBufferSize": Value(is_exact=True),
            "consumerFetchMin": Value(is_exact=True),
            "consumerFetchDefault": Value(is_exact=True),
            "initialOffset": Value(is_exact=True, is_folded=True),
            "authType": Value("words", ("oidc_private_key_jwt", "certificate"), is_folded=True),
            "saslMechanism": Value("words", ("PLAIN",), ignored="PLAIN"),
            "compression": Value("words", ("none", "gzip", "snappy", "lz4", "zstd"), is_folded=True),
            "consumerGroupRebalanceStrategy": Value(is_folded=True),
            # Since 1.17.
            "producerRequiredAcks": Value("words", ("all", "local", "none"), is_folded=True),
            "producerRetryMax": NUMBER,
            **dict.fromkeys(("dialTimeout", "readTimeout", "writeTimeout"), DURATION),
        },
        optional={
            ("authType", "password"): frozenset({"saslMechanism"}),
            ("authType", "mtls"): frozenset({"caCert", "clientCert", "clientKey"}),
        },
        needs={("authType", "certificate"): ("caCert",)},
        prefixes=("backOff", "awsIam", "awsSts", "awsAccess", "awsSecret", "awsSession", "awsRegion"),
    ),
    "pubsub.redis": CodeFacts(values=_REDIS),
    "pubsub.in-memory": CodeFacts(values={"consumerID": TEXT}),
    "state.redis": CodeFacts(
        values={
            **_REDIS,
            "keyPrefix": TEXT,  # read by the runtime, for every state store
            "maxRetries": NUMBER,
            "maxRetryBackoff": DURATION,
        },
        unused=frozenset({"redeliverInterval", "processingTimeout"}),  # of pubsub.redis only
    ),
    "state.in-memory": CodeFacts(values={"actorStateStore": SWITCH}),
    "secretstores.kubernetes": CodeFacts(values={"defaultNamespace": TEXT, "kubeconfigPath": TEXT}),
}


def declared_components() -> Mapping[str, Any]:
    """Returns what dapr_metadata.json holds for each component type."""
    generated = resources.files(__package__) / "dapr_metadata.json"
    components: Mapping[str, Any] = json.loads(generated.read_bytes())["components"]
    return components


def declared_values(declared: Mapping[str, Any]) -> dict[str, Value]:
    """Returns the values that one type's metadata.yaml declares, by item name."""
    values = {}
    for name, item in declared["items"].items():
        words = tuple(item.get("allowed", ()))
        values[name] = Value("words", words) if words else _DECLARED_TYPES[item["type"]]
    return values


def amended(declared: Value, code: Value) -> Value:
    """Returns a declared value with what the code says about it."""
    words = tuple(dict.fromkeys((*declared.words, *code.words)))
    return replace(
        code,
        kind="words" if words else declared.kind if code.kind == "text" else code.kind,
        words=words,
        ignored=code.ignored or declared.ignored,
    )


def _component_type(declared: Mapping[str, Any], code: CodeFacts) -> ComponentType:
    values = {name: value for name, value in declared_values(declared).items() if name not in code.unused}
    for name, value in code.values.items():
        values[name] = amended(values.get(name, TEXT), value)
    needs = dict(code.needs)
    for profile in declared["profiles"]:
        selected = (profile["item"], profile["value"])
        optional = code.optional.get(selected, frozenset())
        if others := tuple(name for name in profile["required"] if name not in optional):
            needs[selected] = others
    return ComponentType(values, tuple(declared["required"]), needs, code.prefixes)


COMPONENTS: Mapping[str, ComponentType] = {
    kind: _component_type(declared, CODE_FACTS[kind]) for kind, declared in declared_components().items()
}

# Every allowed word. None is a secret, so the values in Secrets may be compared with their fingerprints.
WORDS = frozenset(
    word
    for component in COMPONENTS.values()
    for value in component.values.values()
    for word in value.spellings
)

COMPONENT_SPEC = frozenset({"type", "version", "ignoreErrors", "metadata", "initTimeout"})
_CONFIGURATION_SPEC = """
    accessControl api appHttpPipeline components features httpPipeline logging metric metrics mtls
    nameResolution secrets tracing wasm workflow
"""
CONFIGURATION_SPEC = frozenset(_CONFIGURATION_SPEC.split())

_TEXTS = """
    api-token-secret app-channel-address app-health-check-path app-id app-token-secret component-container
    config env env-from-secret http-max-request-size http-read-buffer-size max-body-size
    placement-host-address pluggable-components pluggable-components-sockets-folder read-buffer-size
    scheduler-host-address sentry-request-jwt-audiences sidecar-cpu-limit sidecar-cpu-request
    sidecar-image sidecar-listen-addresses sidecar-memory-limit sidecar-memory-request
    sidecar-seccomp-profile-type unix-domain-socket-path volume-mounts volume-mounts-rw
"""
_SWITCHES = """
    app-ssl disable-builtin-k8s-secret-store disable-init-endpoints enable-api-logging
    enable-app-health-check enable-debug enable-metrics enable-native-sidecar enable-profiling enabled
    inject-pluggable-components log-as-json
"""
_NUMBERS = """
    app-health-probe-interval app-health-probe-timeout app-health-threshold app-max-concurrency app-port
    debug-port graceful-shutdown-seconds grpc-port internal-grpc-port metrics-port
    sidecar-liveness-probe-delay-seconds sidecar-liveness-probe-period-seconds
    sidecar-liveness-probe-threshold sidecar-liveness-probe-timeout-seconds
    sidecar-readiness-probe-delay-seconds sidecar-readiness-probe-period-seconds
    sidecar-readiness-probe-threshold sidecar-readiness-probe-timeout-seconds
"""
ANNOTATIONS: Mapping[str, Value] = {
    **dict.fromkeys(_TEXTS.split(), TEXT),
    **dict.fromkeys(_SWITCHES.split(), SWITCH),
    **dict.fromkeys(_NUMBERS.split(), NUMBER),
    "app-protocol": Value("words", ("http", "grpc", "https", "grpcs", "h2c"), is_folded=True),
    "block-shutdown-duration": DURATION,
    "log-level": Value("words", ("debug", "info", "warn", "error", "fatal"), is_folded=True),
}
