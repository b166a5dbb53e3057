"""The Ingress objects: which path reaches which service, and which Secret has the certificate."""

import pytest


def routes(ingress):
    """Returns (path, service) pairs in their order."""
    [rule] = ingress["spec"]["rules"]
    return [(path["path"], path["backend"]["service"]["name"]) for path in rule["http"]["paths"]]


def test_paths_reach_the_services_of_the_contract(render):
    """Better Auth's paths go to the frontend although /api goes to the backend."""
    main = routes(render("production").one("Ingress", "-ingress"))
    assert main == [
        ("/.well-known/oauth-protected-resource", "todo-app-mcp"),
        ("/api/notifications", "todo-app-notification"),
        ("/api/auth", "todo-app-frontend"),
        ("/api", "todo-app-backend"),
        ("/mcp", "todo-app-mcp"),
        ("/", "todo-app-frontend"),
    ]
    assert routes(render("production").one("Ingress", "-ingress-sse")) == [("/sse", "todo-app-sse-gateway")]


def test_every_backend_is_a_service_port_that_exists(render):
    """Every path names an existing Service and port; otherwise it would answer 503."""
    rendered = render("staging")
    ports = {
        service["metadata"]["name"]: {port["name"] for port in service["spec"]["ports"]}
        for service in rendered.of_kind("Service")
    }
    for ingress in rendered.of_kind("Ingress"):
        for path in ingress["spec"]["rules"][0]["http"]["paths"]:
            backend = path["backend"]["service"]
            assert path["pathType"] == "Prefix"
            assert backend["port"]["name"] in ports[backend["name"]]


def test_streaming_settings_are_on_the_stream_only(render):
    """Only the stream has no buffering and a long time-out; other paths use the controller's defaults."""
    rendered = render("production")
    stream = rendered.one("Ingress", "-ingress-sse")["metadata"]["annotations"]
    assert stream["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(stream["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    main = rendered.one("Ingress", "-ingress")["metadata"]["annotations"]
    assert [name for name in main if "proxy" in name] == []


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_one_ingress_requests_the_certificate_of_both(render, environment):
    """Only one object names the issuer; two would both try to own the Secret."""
    rendered = render(environment)
    main, stream = rendered.one("Ingress", "-ingress"), rendered.one("Ingress", "-ingress-sse")
    host = main["spec"]["rules"][0]["host"]
    assert main["spec"]["tls"] == stream["spec"]["tls"] == [{"hosts": [host], "secretName": f"{host}-tls"}]
    assert main["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt-prod"
    assert "cert-manager.io/cluster-issuer" not in stream["metadata"]["annotations"]


def test_existing_certificate_is_used_by_both(render):
    """With an existing certificate both objects use the Secret of the values."""
    rendered = render("staging", {"ingress": {"clusterIssuer": "", "tlsSecret": "wildcard"}})
    tls = [entry for ingress in rendered.of_kind("Ingress") for entry in ingress["spec"]["tls"]]
    names = [entry["secretName"] for entry in tls]
    assert names == ["wildcard", "wildcard"]


def test_without_an_issuer_the_controllers_certificate_is_used(render):
    """TLS stays enabled, and no Secret is named that nobody would create."""
    rendered = render("staging", {"ingress": {"clusterIssuer": ""}})
    for ingress in rendered.of_kind("Ingress"):
        assert ingress["spec"]["tls"] == [{"hosts": ["staging.todo.example.com"]}]
        assert "cert-manager.io/cluster-issuer" not in ingress["metadata"].get("annotations", {})


def test_annotations_can_be_replaced_for_another_controller(render):
    """A null removes a default annotation, and the other values stay."""
    nginx = "nginx.ingress.kubernetes.io/"
    rendered = render(
        "staging",
        {
            "ingress": {
                "className": "traefik",
                "clusterIssuer": "",
                "annotations": {f"{nginx}ssl-redirect": None, f"{nginx}force-ssl-redirect": None},
                "sseAnnotations": {
                    f"{nginx}proxy-buffering": None,
                    f"{nginx}proxy-read-timeout": None,
                    f"{nginx}proxy-send-timeout": None,
                },
            }
        },
    )
    for ingress in rendered.of_kind("Ingress"):
        assert ingress["spec"]["ingressClassName"] == "traefik"
        assert "annotations" not in ingress["metadata"]
