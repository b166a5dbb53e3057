"""The sidecars, the two pub/sub components, and the services that may read them."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KEYS = {
    "brokers": "REDPANDA_BROKERS",
    "saslUsername": "REDPANDA_USERNAME",
    "saslPassword": "REDPANDA_PASSWORD",
    "saslMechanism": "REDPANDA_SASL_MECHANISM",
}
SCOPES = {"pubsub": ["backend", "notification"], "pubsub-broadcast": ["sse-gateway"]}


def metadata(rendered, name):
    """Returns a component's metadata: the value, or the key of the Secret, by name."""
    [component] = [item for item in rendered.of_kind("Component") if item["metadata"]["name"] == name]
    return {
        item["name"]: item["secretKeyRef"]["key"] if "secretKeyRef" in item else item["value"]
        for item in component["spec"]["metadata"]
    }


@pytest.mark.parametrize("component", SCOPES)
def test_components_are_scoped_at_the_top_level(rendered, component):
    """Without scopes, every sidecar in the namespace would get the broker's password."""
    [found] = [item for item in rendered.of_kind("Component") if item["metadata"]["name"] == component]
    assert found["scopes"] == SCOPES[component]
    assert "scopes" not in found["spec"]


@pytest.mark.parametrize("component", SCOPES)
def test_kafka_credentials_come_from_the_secret(render, component):
    """SCRAM over TLS is set in the values that Dapr knows, and no credential is a plain value."""
    found = metadata(render("production"), component)
    assert {name: found[name] for name in KEYS} == KEYS
    assert found["authType"] == "password"
    assert found["disableTls"] == "false"


def test_kafka_trusts_a_private_authority_only_with_the_switch(render):
    """The certificate is read from the Secret only behind a switch, because the key may be missing."""
    assert "caCert" not in metadata(render("production"), "pubsub")
    private = render("production", {"pubsub": {"kafka": {"caCertFromSecret": True}}})
    assert metadata(private, "pubsub")["caCert"] == "REDPANDA_CA_CERT"
    assert metadata(private, "pubsub-broadcast")["caCert"] == "REDPANDA_CA_CERT"


def test_shared_component_has_a_group_per_environment_and_app(render):
    """Each event reaches one replica of each app, and never the other environment."""
    for environment in ("staging", "production"):
        found = metadata(render(environment), "pubsub")
        assert found["consumerGroup"] == environment + "-{appID}"
        assert found["initialOffset"] == "oldest"


def test_broadcast_component_has_a_group_per_pod(render):
    """Every replica of the gateway receives every event, with either broker."""
    found = metadata(render("production"), "pubsub-broadcast")
    assert found["consumerGroup"] == "production-{appID}-{podName}"
    assert found["initialOffset"] == "newest"
    assert metadata(render("local"), "pubsub-broadcast")["consumerID"] == "{podName}"


def test_no_component_uses_the_namespace_template(rendered):
    """Dapr would prefix every topic of such a component with the namespace."""
    for component in SCOPES:
        assert [value for value in metadata(rendered, component).values() if "{namespace}" in value] == []


def test_sidecars_go_to_the_four_services_that_use_dapr(rendered):
    """The frontend has no sidecar, nor have the migrations, which would never end with one."""
    app_ids = {
        workload: template["metadata"]["annotations"]["dapr.io/app-id"]
        for workload, template in rendered.pod_templates()
        if "dapr.io/enabled" in template["metadata"].get("annotations", {})
    }
    release = rendered.one("Resiliency")["metadata"]["name"]
    assert app_ids == {
        f"{release}-{service}": service for service in ("backend", "mcp", "notification", "sse-gateway")
    }


def test_sidecar_annotations_fit_the_shutdown_and_the_pod_standard(render):
    """A sidecar has exactly these annotations; Dapr silently ignores a misspelt one."""
    annotations = dict(
        render("production").one("Deployment", "-mcp")["spec"]["template"]["metadata"]["annotations"]
    )
    annotations.pop("checksum/dapr")
    assert annotations == {
        "dapr.io/enabled": "true",
        "dapr.io/app-id": "mcp",
        "dapr.io/app-port": "8001",
        "dapr.io/app-protocol": "http",
        "dapr.io/config": "todo-app-mcp",
        "dapr.io/app-token-secret": "app-secrets",
        "dapr.io/api-token-secret": "app-secrets",
        "dapr.io/log-as-json": "true",
        "dapr.io/log-level": "info",
        "dapr.io/enable-app-health-check": "true",
        # Not /readyz: it answers 503 during a drain, and the sidecar would end before the app.
        "dapr.io/app-health-check-path": "/healthz",
        "dapr.io/app-health-probe-interval": "3",
        "dapr.io/app-health-probe-timeout": "1000",
        "dapr.io/app-health-threshold": "3",
        "dapr.io/graceful-shutdown-seconds": "5",
        "dapr.io/block-shutdown-duration": "41s",
        "dapr.io/sidecar-readiness-probe-delay-seconds": "1",
        "dapr.io/sidecar-readiness-probe-period-seconds": "2",
        "dapr.io/sidecar-readiness-probe-threshold": "9",
        "dapr.io/disable-builtin-k8s-secret-store": "true",
        "dapr.io/sidecar-seccomp-profile-type": "RuntimeDefault",
        "dapr.io/sidecar-cpu-request": "50m",
        "dapr.io/sidecar-memory-request": "64Mi",
        "dapr.io/sidecar-cpu-limit": "300m",
        "dapr.io/sidecar-memory-limit": "256Mi",
    }


def test_each_sidecar_reads_its_own_configuration(rendered):
    """The Configuration exists; otherwise daprd would exit at its start."""
    named = {
        template["metadata"]["annotations"]["dapr.io/config"]: workload
        for workload, template in rendered.pod_templates()
        if "dapr.io/enabled" in template["metadata"].get("annotations", {})
    }
    assert named == {
        item["metadata"]["name"]: item["metadata"]["name"] for item in rendered.of_kind("Configuration")
    }


@pytest.mark.parametrize(("environment", "rate"), [("local", "0"), ("staging", "1"), ("production", "0.1")])
def test_tracing_is_sampled_per_environment(render, environment, rate):
    """The chart sets each environment's sampling rate, for all sidecars."""
    specs = [item["spec"] for item in render(environment).of_kind("Configuration")]
    assert [spec["tracing"] for spec in specs] == [{"samplingRate": rate}] * 4


def access_control(rendered):
    """Returns the access lists by app id."""
    return {
        item["metadata"]["labels"]["app.kubernetes.io/name"]: item["spec"].get("accessControl")
        for item in rendered.of_kind("Configuration")
    }


def test_only_listed_operations_may_be_invoked(render):
    """The backend accepts the MCP server's operations, and every other app accepts nothing from anybody."""
    lists = access_control(render("staging"))
    assert lists == {
        "backend": {
            "defaultAction": "deny",
            "trustDomain": "public",
            "policies": [
                {
                    "appId": "mcp",
                    "namespace": "staging",
                    "trustDomain": "public",
                    "defaultAction": "deny",
                    "operations": [
                        {
                            "name": "/api/todos/*",
                            "httpVerb": ["GET", "POST", "PATCH", "DELETE"],
                            "action": "allow",
                        }
                    ],
                }
            ],
        },
        **{
            app: {"defaultAction": "deny", "trustDomain": "public"}
            for app in ("mcp", "notification", "sse-gateway")
        },
    }


def test_without_mtls_there_is_no_access_list(render):
    """Without mTLS there are no identities, and a list would refuse everybody."""
    without = access_control(render("staging", {"dapr": {"mtls": {"enabled": False}}}))
    assert set(without.values()) == {None}


CALL = re.compile(r'"(GET|POST|PUT|PATCH|DELETE)", f?"(/[^"]*)"')


def test_access_list_allows_exactly_what_the_mcp_server_calls(render):
    """Each call in the MCP server's client of the backend is allowed, and each allowed verb is used."""
    source = (ROOT / "services/mcp/src/todo_mcp/backend.py").read_text(encoding="utf-8")
    calls = [(verb, re.sub(r"\{[^}]*\}", "id", path)) for verb, path in CALL.findall(source)]
    assert calls
    [policy] = access_control(render("production"))["backend"]["policies"]
    allowed = {
        (verb, operation["name"]) for operation in policy["operations"] for verb in operation["httpVerb"]
    }
    used = {
        (verb, operation["name"])
        for verb, path in calls
        for operation in policy["operations"]
        if covers(operation["name"], path)
    }
    assert [path for _, path in calls if not any(covers(name, path) for _, name in allowed)] == []
    assert used == allowed


def covers(operation, path):
    """Returns whether an operation with one final wildcard covers a path, as Dapr compares them."""
    prefix = operation.removesuffix("/*")
    assert prefix != operation
    rest = path.removeprefix(prefix)
    return path.startswith(prefix) and (not rest or re.fullmatch(r"/[^/]+", rest) is not None)


def test_delivery_is_retried_for_minutes_before_it_becomes_a_dead_letter(render):
    """Retries last longer than a database's failover, and every retry that a target names exists."""
    spec = render("production").one("Resiliency")["spec"]
    components = spec["targets"]["components"]
    used = {way["retry"] for target in components.values() for way in target.values()}
    assert used == set(spec["policies"]["retries"])
    delivery = spec["policies"]["retries"][components["pubsub"]["inbound"]["retry"]]
    longest_seconds = int(delivery["maxInterval"].removesuffix("s"))
    waits = [min(0.5 * 1.5**attempt, longest_seconds) for attempt in range(delivery["maxRetries"])]
    assert 5 * 60 < sum(waits) < 10 * 60


def test_local_dapr_files_agree_with_the_chart(render):
    """The files of `inv up` have the same retries, scopes and order of events as the chart."""
    local = {
        document["metadata"]["name"]: document
        for path in (ROOT / "dapr" / "resiliency.yaml", *(ROOT / "dapr" / "components").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    }
    rendered = render("local")
    resiliency = rendered.one("Resiliency")
    assert local["todo"]["spec"] == resiliency["spec"]
    assert local["todo"]["scopes"] == resiliency["scopes"]
    # A developer's machine has other addresses, and its group is named by the start, not by the pod.
    apart = {"redisHost", "redisPassword", "consumerID"}
    for name, scopes in SCOPES.items():
        assert local[name]["scopes"] == scopes
        written = {item["name"]: item.get("value") for item in local[name]["spec"]["metadata"]}
        chart = metadata(rendered, name)
        assert {key: written[key] for key in set(written) - apart} == {
            key: chart[key] for key in set(chart) - apart
        }


def test_state_store_is_rendered_only_where_it_is_enabled(render):
    """No environment has one before a service uses it; enabled, it is Redis and only for its users."""
    for environment in ("staging", "production"):
        names = {item["metadata"]["name"] for item in render(environment).of_kind("Component")}
        assert names == set(SCOPES)
    rendered = render("staging", {"stateStore": {"enabled": True}})
    [store] = [item for item in rendered.of_kind("Component") if item["metadata"]["name"] == "statestore"]
    local = yaml.safe_load((ROOT / "dapr/components/statestore.yaml").read_text(encoding="utf-8"))
    assert store["scopes"] == local["scopes"] == ["backend"]
    assert store["spec"]["type"] == local["spec"]["type"] == "state.redis"
    [service] = [item for item in rendered.of_kind("Service") if item["metadata"]["name"].endswith("-redis")]
    assert metadata(rendered, "statestore")["redisHost"] == f"{service['metadata']['name']}:6379"


def test_state_store_rolls_its_users_only(render):
    """A sidecar reads its components at its start."""

    def checksums(rendered):
        return {
            item["metadata"]["name"]: item["spec"]["template"]["metadata"]
            .get("annotations", {})
            .get("checksum/dapr")
            for item in rendered.of_kind("Deployment")
        }

    before, after = (
        checksums(render("staging")),
        checksums(render("staging", {"stateStore": {"enabled": True}})),
    )
    assert [name for name in before if before[name] != after[name]] == ["todo-app-staging-backend"]
