"""What each service is told and which secrets it is handed."""

SECRET_KEYS = {
    "frontend": {"BETTER_AUTH_SECRET", "FRONTEND_DATABASE_URL"},
    "backend": {"DATABASE_URL"},
    "mcp": set(),
    "notification": {"DATABASE_URL"},
    "sse-gateway": set(),
    "migrate-frontend": {"BETTER_AUTH_SECRET", "FRONTEND_DATABASE_URL"},
    "migrate-backend": {"DATABASE_URL"},
    "migrate-notification": {"DATABASE_URL"},
}


def test_each_service_gets_only_the_secret_keys_it_uses(render):
    """Key by key and never the whole secret."""
    handed = {}
    for workload, container in render("production").containers():
        assert "envFrom" not in container
        references = [
            entry["valueFrom"]["secretKeyRef"] for entry in container["env"] if "valueFrom" in entry
        ]
        assert {reference["name"] for reference in references} <= {"app-secrets"}
        handed[workload.removeprefix("todo-app-")] = {reference["key"] for reference in references}
    assert handed == SECRET_KEYS


def environment_of(rendered, service):
    """Plain environment variables of a service's container."""
    [container] = rendered.one("Deployment", f"-{service}")["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def test_public_url_decides_issuer_auth_url_and_allowed_hosts(render):
    """One fact in, the same origin everywhere; a token's issuer is what every service checks for."""
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
    """Staging's events never land in production's topics."""
    for service, component in (
        ("backend", "pubsub"),
        ("notification", "pubsub"),
        ("sse-gateway", "pubsub-broadcast"),
    ):
        assert environment_of(render("staging"), service)["TOPIC_PREFIX"] == "staging-"
        assert environment_of(render("production"), service)["TOPIC_PREFIX"] == ""
        assert environment_of(render("production"), service)["PUBSUB_NAME"] == component
