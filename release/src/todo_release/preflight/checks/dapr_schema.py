"""What Dapr accepts, as tables: metadata of component types, annotations, and the parts of a Configuration.

A component ignores a name that it does not know and, for some names, a value too; nothing is logged. Sources:
components-contrib (`common/component/kafka/metadata.go`, `common/component/redis/settings.go`, each type's
`metadata.yaml`) and dapr (`pkg/injector/annotations`, `pkg/apis/configuration`), versions 1.16 to 1.18. To
add a type, add an entry to COMPONENTS.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
    """What may stand in one metadata item or annotation.

    `ignored` says what Dapr makes of another value when it does not refuse it; `is_exact` that the case of
    the name matters, as it does where the code looks it up instead of decoding it.
    """

    kind: Kind = "text"
    words: tuple[str, ...] = ()
    ignored: str = ""
    is_exact: bool = False
    is_folded: bool = False

    def accepts(self, value: str) -> bool:
        """Whether a value is one that Dapr understands."""
        if self.kind == "words":
            return (value.lower() if self.is_folded else value) in self.words
        return PATTERNS[self.kind].fullmatch(value) is not None

    @property
    def spellings(self) -> tuple[str, ...]:
        """The words as people write them; only where Dapr folds case there is more than one way."""
        if not self.is_folded:
            return self.words
        return tuple(way(word) for word in self.words for way in (str, str.upper, str.capitalize))

    @property
    def allowed(self) -> str:
        """What may be written, for people."""
        return {
            "text": "any text",
            "switch": "true or false",
            "number": "a whole number",
            "duration": "a duration such as 5s",
            "words": ", ".join(self.words),
        }[self.kind]


@dataclass(frozen=True, slots=True)
class ComponentType:
    """The metadata of a component type. `needs` names what else must be there for a value of another item;
    names that begin with one of `prefixes` are passed on.
    """

    values: Mapping[str, Value]
    required: tuple[str, ...] = ()
    needs: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()

    def find(self, name: str) -> Value | None:
        """The value that a name takes; None when Dapr ignores the name."""
        for known, value in self.values.items():
            if name == known or (name.lower() == known.lower() and not value.is_exact):
                return value
        return Value() if any(name.lower().startswith(one.lower()) for one in self.prefixes) else None


TEXT, SWITCH, NUMBER, DURATION = Value(), Value("switch", ignored="false"), Value("number"), Value("duration")

_REDIS: Mapping[str, Value] = {
    **dict.fromkeys(
        ("redisHost", "redisUsername", "redisPassword", "sentinelMasterName", "sentinelUsername"), TEXT
    ),
    **dict.fromkeys(("sentinelPassword", "clientCert", "clientKey"), TEXT),
    **dict.fromkeys(("enableTLS", "failover", "useEntraID", "useAzureAD"), SWITCH),
    **dict.fromkeys(("redisDB", "redisMaxRetries", "poolSize", "minIdleConns"), NUMBER),
    **dict.fromkeys(
        ("redisMinRetryInterval", "redisMaxRetryInterval", "dialTimeout", "readTimeout", "writeTimeout"),
        DURATION,
    ),
    **dict.fromkeys(("maxConnAge", "poolTimeout", "idleTimeout", "idleCheckFrequency"), DURATION),
    "redisType": Value("words", ("node", "cluster"), ignored="node"),
}

COMPONENTS: Mapping[str, ComponentType] = {
    "pubsub.kafka": ComponentType(
        values={
            **dict.fromkeys(("brokers", "consumerGroup", "consumerID", "clientID", "version"), TEXT),
            **dict.fromkeys(("saslUsername", "saslPassword", "clientCert", "clientKey"), TEXT),
            **dict.fromkeys(("oidcTokenEndpoint", "oidcClientID", "oidcClientSecret", "oidcScopes"), TEXT),
            **dict.fromkeys(("oidcExtensions", "excludeHeaderMetaRegex", "schemaRegistryURL"), TEXT),
            **dict.fromkeys(("schemaRegistryAPIKey", "schemaRegistryAPISecret"), TEXT),
            **dict.fromkeys(("disableTls", "skipVerify", "authRequired", "consumeRetryEnabled"), SWITCH),
            **dict.fromkeys(("escapeHeaders", "useAvroJSON", "schemaCachingEnabled"), SWITCH),
            **dict.fromkeys(("maxMessageBytes", "producerRetryMax"), NUMBER),
            **dict.fromkeys(("heartbeatInterval", "sessionTimeout", "schemaLatestVersionCacheTTL"), DURATION),
            **dict.fromkeys(("dialTimeout", "readTimeout", "writeTimeout"), DURATION),
            "clientConnectionTopicMetadataRefreshInterval": DURATION,
            "clientConnectionKeepAliveInterval": DURATION,
            "caCert": Value(is_exact=True),
            "consumeRetryInterval": Value("duration", is_exact=True),
            "channelBufferSize": Value("number", is_exact=True),
            "consumerFetchMin": Value("number", is_exact=True),
            "consumerFetchDefault": Value("number", is_exact=True),
            "initialOffset": Value("words", ("newest", "oldest"), is_exact=True, is_folded=True),
            "authType": Value(
                "words",
                ("none", "password", "mtls", "oidc", "oidc_private_key_jwt", "awsiam", "certificate"),
                is_folded=True,
            ),
            "saslMechanism": Value("words", ("SHA-256", "SHA-512", "PLAINTEXT", "PLAIN"), ignored="PLAIN"),
            "compression": Value("words", ("none", "gzip", "snappy", "lz4", "zstd"), is_folded=True),
            "consumerGroupRebalanceStrategy": Value(
                "words", ("range", "sticky", "roundrobin"), is_folded=True
            ),
            "producerRequiredAcks": Value("words", ("all", "local", "none"), is_folded=True),
        },
        required=("brokers", "authType"),
        needs={
            ("authType", "password"): ("saslUsername", "saslPassword"),
            ("authType", "oidc"): ("oidcTokenEndpoint", "oidcClientID", "oidcClientSecret"),
            ("authType", "certificate"): ("caCert",),
        },
        prefixes=("backOff", "awsIam", "awsSts", "awsAccess", "awsSecret", "awsSession", "awsRegion"),
    ),
    "pubsub.redis": ComponentType(
        values={
            **_REDIS,
            "consumerID": TEXT,
            **dict.fromkeys(("redeliverInterval", "processingTimeout", "streamTTL"), DURATION),
            **dict.fromkeys(("queueDepth", "concurrency", "maxLenApprox"), NUMBER),
        },
        required=("redisHost",),
    ),
    "state.redis": ComponentType(
        values={
            **_REDIS,
            **dict.fromkeys(("keyPrefix", "queryIndexes"), TEXT),
            **dict.fromkeys(("ttlInSeconds", "maxRetries"), NUMBER),
            "maxRetryBackoff": DURATION,
            "actorStateStore": SWITCH,
        },
        required=("redisHost",),
    ),
    "pubsub.in-memory": ComponentType(values={"consumerID": TEXT}),
    "state.in-memory": ComponentType(values={"actorStateStore": SWITCH}),
    "secretstores.kubernetes": ComponentType(values={"defaultNamespace": TEXT, "kubeconfigPath": TEXT}),
}

# Every word a value may be: none is a secret, so what stands under a key of a Secret may be compared with
# them.
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
