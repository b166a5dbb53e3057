"""The environment variables and the Secret keys of each service."""

import pytest

SECRET_KEYS = {
    "frontend": {"BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "FRONTEND_DATABASE_URL"},
    "backend": {"DATABASE_URL", "token"},
    "mcp": {"token"},
    "notification": {"DATABASE_URL", "token"},
    "sse-gateway": {"token"},
    "migrate-frontend": {"BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "FRONTEND_DATABASE_URL"},
    "migrate-backend": {"DATABASE_URL"},
    "migrate-notification": {"DATABASE_URL"},
}


def test_each_service_gets_only_the_secret_keys_it_uses(render):
    """Each container references single keys and never the whole Secret."""
    handed = {}
    for workload, container in render("production").containers():
        assert "envFrom" not in container
        references = [
            entry["valueFrom"]["secretKeyRef"] for entry in container["env"] if "valueFrom" in entry
        ]
        assert {reference["name"] for reference in references} <= {"app-secrets"}
        place = workload.removeprefix("todo-app-")
        name = f"migrate-{container['name']}" if place == "migrate" else place
        handed[name] = {reference["key"] for reference in references}
    assert handed == SECRET_KEYS


def environment_of(rendered, service):
    """Returns the plain environment variables of a service's container."""
    [container] = rendered.one("Deployment", f"-{service}")["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


CONTRACT = {
    "frontend": {
        "HOSTNAME": "0.0.0.0",  # noqa: S104  # otherwise Next.js listens only on the pod's name
        "BETTER_AUTH_URL": "https://todo.example.com",
    },
    "backend": {"JWT_AUDIENCE": "todo-api", "PUBSUB_NAME": "pubsub", "TOPIC_PREFIX": ""},
    "mcp": {
        "JWT_AUDIENCE": "todo-mcp",
        "BACKEND_URL": "http://localhost:3500/v1.0/invoke/backend/method",
        "PUBLIC_HOSTS": "todo.example.com,todo-app-mcp",
    },
    "notification": {"JWT_AUDIENCE": "todo-api", "PUBSUB_NAME": "pubsub", "TOPIC_PREFIX": ""},
    "sse-gateway": {"JWT_AUDIENCE": "todo-api", "PUBSUB_NAME": "pubsub-broadcast", "TOPIC_PREFIX": ""},
}
PORTS = {"frontend": "3000", "backend": "8000", "mcp": "8001", "notification": "8002", "sse-gateway": "8003"}
CONNECTIONS = {"frontend": "4", "backend": "8", "notification": "4"}
PYTHON = {
    "LOG_FORMAT": "json",
    "JWT_ISSUER": "https://todo.example.com",
    "JWKS_URL": "http://todo-app-frontend:3000/api/auth/jwks",
}


@pytest.mark.parametrize("service", CONTRACT)
def test_environment_is_what_the_service_reads_and_no_more(render, service):
    """Each service has exactly the plain variables that it reads, in production."""
    shutdown = {"SHUTDOWN_DELAY_SECONDS": "21", "DRAIN_SECONDS": "20"}
    expected = {"PORT": PORTS[service], "LOG_LEVEL": "info", **shutdown, **CONTRACT[service]}
    if service != "frontend":
        expected |= PYTHON
    if service in CONNECTIONS:
        expected["DATABASE_CONNECTIONS"] = CONNECTIONS[service]
    assert environment_of(render("production"), service) == expected


def test_public_url_sets_issuer_auth_url_and_allowed_hosts(render):
    """The public URL sets the origin everywhere, also the issuer that every service checks."""
    for values, url in (
        ({}, "https://todo.example.com"),
        ({"config": {"publicUrl": "http://box.test:18080"}}, "http://box.test:18080"),
    ):
        rendered = render("production", values)
        assert environment_of(rendered, "frontend")["BETTER_AUTH_URL"] == url
        for service in ("backend", "mcp", "notification", "sse-gateway"):
            assert environment_of(rendered, service)["JWT_ISSUER"] == url
        hosts = environment_of(rendered, "mcp")["PUBLIC_HOSTS"]
        assert hosts == f"{url.split('//')[1]},todo-app-mcp"
    assert environment_of(render("local"), "frontend")["BETTER_AUTH_URL"] == "http://localhost:8080"


def test_topic_prefix_reaches_every_service_on_the_bus(render):
    """Staging's events never go to production's topics."""
    for service, component in (
        ("backend", "pubsub"),
        ("notification", "pubsub"),
        ("sse-gateway", "pubsub-broadcast"),
    ):
        assert environment_of(render("staging"), service)["TOPIC_PREFIX"] == "staging-"
        assert environment_of(render("production"), service)["TOPIC_PREFIX"] == ""
        assert environment_of(render("production"), service)["PUBSUB_NAME"] == component


def test_each_service_gets_the_tokens_that_it_checks_or_sends(render):
    """Whoever takes events checks the sidecar's token, and whoever calls the sidecar sends it one."""
    variables = {}
    for workload, container in render("production").containers():
        names = {entry["name"] for entry in container["env"]} & {"APP_API_TOKEN", "DAPR_API_TOKEN"}
        variables[workload.removeprefix("todo-app-")] = names
    assert {name: found for name, found in variables.items() if found} == {
        "backend": {"APP_API_TOKEN", "DAPR_API_TOKEN"},
        "mcp": {"DAPR_API_TOKEN"},
        "notification": {"APP_API_TOKEN", "DAPR_API_TOKEN"},
        "sse-gateway": {"APP_API_TOKEN", "DAPR_API_TOKEN"},
    }
