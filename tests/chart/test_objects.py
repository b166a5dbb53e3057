"""The objects of each environment, and their validity for the API server."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

SERVICES = ("frontend", "backend", "mcp", "notification", "sse-gateway")
KUBERNETES = "1.31"
CUSTOM = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "crds").glob("*.json")
}


def objects_of_a_service(release, service):
    """Returns the four objects that every service has in every environment."""
    return {
        (kind, f"{release}-{service}")
        for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget")
    }


def always(release):
    """Returns the objects that no switch removes."""
    return set().union(*(objects_of_a_service(release, service) for service in SERVICES)) | {
        ("Component", "pubsub"),
        ("Component", "pubsub-broadcast"),
        ("Resiliency", release),
        ("Job", f"{release}-migrate"),
        *(("Configuration", f"{release}-{service}") for service in SERVICES if service != "frontend"),
    }


def ingresses(release):
    """Returns the objects of ingress.enabled."""
    return {("Ingress", f"{release}-ingress"), ("Ingress", f"{release}-ingress-sse")}


def gateway(release):
    """Returns the objects of ingress.kind gateway, instead of the Ingress objects."""
    return {("Gateway", release), ("HTTPRoute", release), ("HTTPRoute", f"{release}-redirect")}


def policies(release):
    """Returns the objects of networkPolicies.enabled, with an issuer and without Redis."""
    return {
        ("NetworkPolicy", f"{release}-{name}") for name in (*SERVICES, "migrate", "solver", "unlisted-pods")
    }


def redis(release):
    """Returns the objects of pubsub.kind."""
    return {("Deployment", f"{release}-redis"), ("Service", f"{release}-redis")}


def autoscalers(release):
    """Returns the objects of hpa.enabled."""
    return {("HorizontalPodAutoscaler", f"{release}-{service}-hpa") for service in SERVICES}


def monitoring(release):
    """Returns the objects of monitoring.enabled, without dashboards."""
    rules = ("availability", "latency", "events", "pods", "capacity")
    return {("ServiceMonitor", f"{release}-{service}") for service in SERVICES} | {
        ("PodMonitor", f"{release}-daprd"),
        *(("PrometheusRule", f"{release}-{name}") for name in rules),
    }


def dashboards(release):
    """Returns the objects of monitoring.dashboards."""
    return {
        ("ConfigMap", f"{release}-dashboard-{name}")
        for name in ("services", "events", "rollouts", "capacity")
    }


def test_objects_of_the_defaults_are_the_services_and_their_broker(render):
    """The defaults fit a cluster that has only Dapr."""
    assert render("local").names() == always("todo-app") | redis("todo-app")


def test_objects_of_staging_are_the_services_and_the_ingresses(render):
    """Staging uses the managed broker and has no autoscaling."""
    assert render("staging").names() == (
        always("todo-app-staging")
        | ingresses("todo-app-staging")
        | policies("todo-app-staging")
        | monitoring("todo-app-staging")
    )


def test_objects_of_production_are_all_but_redis(render):
    """Production has everything except its own broker."""
    assert render("production").names() == (
        always("todo-app")
        | ingresses("todo-app")
        | policies("todo-app")
        | autoscalers("todo-app")
        | monitoring("todo-app")
        | dashboards("todo-app")
    )


@pytest.mark.parametrize(
    ("off", "on", "objects"),
    [
        (
            {"ingress": {"enabled": False, "clusterIssuer": ""}},
            {"ingress": {"enabled": True, "clusterIssuer": ""}},
            ingresses,
        ),
        (
            {"ingress": {"enabled": False, "clusterIssuer": ""}},
            {
                "ingress": {
                    "kind": "gateway",
                    "clusterIssuer": "",
                    "tlsSecret": "tls",
                    "gateway": {"className": "x"},
                }
            },
            gateway,
        ),
        ({"networkPolicies": {"enabled": False}}, {"networkPolicies": {"enabled": True}}, policies),
        ({"hpa": {"enabled": False}}, {"hpa": {"enabled": True}}, autoscalers),
        (
            {"monitoring": {"enabled": False}},
            {"monitoring": {"enabled": True, "dashboards": False}},
            monitoring,
        ),
        ({"monitoring": {"dashboards": False}}, {"monitoring": {"dashboards": True}}, dashboards),
        (
            {"pubsub": {"kind": "kafka"}, "networkPolicies": {"enabled": False}},
            {"pubsub": {"kind": "redis"}, "networkPolicies": {"enabled": False}},
            redis,
        ),
    ],
    ids=["ingress", "gateway", "network-policies", "hpa", "monitoring", "dashboards", "redis"],
)
def test_each_switch_adds_its_objects_and_no_others(render, off, on, objects):
    """A switch adds or removes only the objects that are named after it."""
    assert render("production", on).names() - render("production", off).names() == objects("todo-app")
    assert render("production", off).names() <= render("production", on).names()


def test_names_are_unique_within_a_kind(rendered):
    """Of two objects with one name, Helm would silently keep only the second."""
    assert len(rendered.names()) == len(rendered.objects)


def test_objects_of_kubernetes_fit_its_schema(rendered):
    """Each built-in object passes the strict schema, which refuses wrong types and unknown fields."""
    builtin = [item for item in rendered.objects if item["kind"] not in CUSTOM]
    assert builtin
    for item in builtin:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_custom_objects_fit_the_definitions(rendered):
    """Each Dapr and Prometheus object passes its definition's schema without unknown fields."""
    for item in rendered.of_kind(*CUSTOM):
        validator(item["kind"]).validate(item)


def test_gateway_objects_fit_the_definitions(render):
    """Gateway and routes pass the schema of the standard channel without unknown fields."""
    rendered = render("production", {"ingress": {"kind": "gateway", "gateway": {"className": "x"}}})
    for item in rendered.of_kind("Gateway", "HTTPRoute"):
        validator(item["kind"]).validate(item)


def test_a_misplaced_field_is_refused_by_the_closed_schema(render):
    """The schema refuses scopes under spec, where Dapr ignores them."""
    component = json.loads(json.dumps(render("production").one("Component", "pubsub")))
    component["spec"]["scopes"] = component.pop("scopes")
    with pytest.raises(jsonschema.ValidationError, match="scopes"):
        validator("Component").validate(component)


def validator(kind):
    """Returns the validator of a custom kind; `jsonschema.validate` would refuse the schemas' Go patterns."""
    return jsonschema.Draft202012Validator(closed(CUSTOM[kind]))


def closed(schema: Any) -> Any:
    """Returns a structural schema that refuses unknown fields, as strict field validation does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result
