"""Which objects each environment gets, and that an API server would take them."""

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
    """Every service has these four, whatever the environment."""
    return {
        (kind, f"{release}-{service}")
        for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget")
    }


def always(release):
    """The objects that no switch takes away."""
    return set().union(*(objects_of_a_service(release, service) for service in SERVICES)) | {
        ("Component", "pubsub"),
        ("Component", "pubsub-broadcast"),
        ("Configuration", release),
        ("Resiliency", release),
        ("Job", f"{release}-migrate-frontend"),
        ("Job", f"{release}-migrate-backend"),
        ("Job", f"{release}-migrate-notification"),
    }


def ingresses(release):
    """Behind ingress.enabled."""
    return {("Ingress", f"{release}-ingress"), ("Ingress", f"{release}-ingress-sse")}


def redis(release):
    """Behind pubsub.kind."""
    return {("Deployment", f"{release}-redis"), ("Service", f"{release}-redis")}


def autoscalers(release):
    """Behind hpa.enabled."""
    return {("HorizontalPodAutoscaler", f"{release}-{service}-hpa") for service in SERVICES}


def monitoring(release):
    """Behind monitoring.enabled."""
    return {("ServiceMonitor", f"{release}-{service}") for service in SERVICES} | {
        ("PrometheusRule", f"{release}-alerts")
    }


def test_objects_of_the_defaults_are_the_services_and_their_broker(render):
    """A cluster with nothing but Dapr can take the defaults."""
    assert render("local").names() == always("todo-app") | redis("todo-app")


def test_objects_of_staging_are_the_services_and_the_way_in(render):
    """Staging uses the managed broker and has neither autoscaling nor monitoring."""
    assert render("staging").names() == always("todo-app-staging") | ingresses("todo-app-staging")


def test_objects_of_production_are_all_but_redis(render):
    """Production has everything except a broker of its own."""
    assert render("production").names() == (
        always("todo-app") | ingresses("todo-app") | autoscalers("todo-app") | monitoring("todo-app")
    )


@pytest.mark.parametrize(
    ("off", "on", "objects"),
    [
        ({"ingress": {"enabled": False, "clusterIssuer": ""}}, {"ingress": {"enabled": True}}, ingresses),
        ({"hpa": {"enabled": False}}, {"hpa": {"enabled": True}}, autoscalers),
        ({"monitoring": {"enabled": False}}, {"monitoring": {"enabled": True}}, monitoring),
        ({"pubsub": {"kind": "kafka"}}, {"pubsub": {"kind": "redis"}}, redis),
    ],
    ids=["ingress", "hpa", "monitoring", "redis"],
)
def test_each_switch_adds_its_objects_and_no_others(render, off, on, objects):
    """A switch decides about the objects named after it and touches nothing else."""
    assert render("production", on).names() - render("production", off).names() == objects("todo-app")
    assert render("production", off).names() <= render("production", on).names()


def test_names_are_unique_within_a_kind(rendered):
    """Helm would let the second object silently replace the first."""
    assert len(rendered.names()) == len(rendered.objects)


def test_objects_of_kubernetes_fit_its_schema(rendered):
    """Each built-in object passes the strict schema: wrong types and unknown fields are refused."""
    builtin = [item for item in rendered.objects if item["kind"] not in CUSTOM]
    assert builtin
    for item in builtin:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_custom_objects_fit_the_definitions(rendered):
    """Each Dapr and Prometheus object passes its definition's schema; unknown fields are refused."""
    for item in rendered.of_kind(*CUSTOM):
        validator(item["kind"]).validate(item)


def test_a_misplaced_field_is_refused_by_the_closed_schema(render):
    """The check above can fail: scopes under spec, where Dapr ignores them, are not accepted."""
    component = json.loads(json.dumps(render("production").one("Component", "pubsub")))
    component["spec"]["scopes"] = component.pop("scopes")
    with pytest.raises(jsonschema.ValidationError, match="scopes"):
        validator("Component").validate(component)


def validator(kind):
    """Validator of a custom kind. `jsonschema.validate` would refuse the schemas' Go patterns."""
    return jsonschema.Draft202012Validator(closed(CUSTOM[kind]))


def closed(schema: Any) -> Any:
    """A structural schema that refuses the fields it does not name, as strict field validation does."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result
