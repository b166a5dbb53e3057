"""The way in: which path reaches which service, and who holds the certificate."""

import pytest


def routes(ingress):
    """[(path, service)] in the order written."""
    [rule] = ingress["spec"]["rules"]
    return [(path["path"], path["backend"]["service"]["name"]) for path in rule["http"]["paths"]]


def test_paths_reach_the_services_of_the_contract(render):
    """Better Auth's paths go to the frontend although /api goes to the backend; longest prefix first."""
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
    """A path to a Service or port that is not there answers 503 for ever."""
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
    """Buffering off and an hour's time-out where events flow; the controller's defaults elsewhere."""
    rendered = render("production")
    stream = rendered.one("Ingress", "-ingress-sse")["metadata"]["annotations"]
    assert stream["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(stream["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    main = rendered.one("Ingress", "-ingress")["metadata"]["annotations"]
    assert [name for name in main if "proxy" in name] == []


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_one_ingress_asks_for_the_certificate_that_both_serve(render, environment):
    """Two that name the issuer would each want to own the Secret."""
    rendered = render(environment)
    main, stream = rendered.one("Ingress", "-ingress"), rendered.one("Ingress", "-ingress-sse")
    host = main["spec"]["rules"][0]["host"]
    assert main["spec"]["tls"] == stream["spec"]["tls"] == [{"hosts": [host], "secretName": f"{host}-tls"}]
    assert main["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt-prod"
    assert "cert-manager.io/cluster-issuer" not in stream["metadata"]["annotations"]


def test_a_certificate_of_ones_own_is_named(render):
    """Somebody else's issuer, or none: the Secret is what the values say, in both objects."""
    rendered = render("staging", {"ingress": {"clusterIssuer": "", "tlsSecret": "wildcard"}})
    names = [each["secretName"] for ingress in rendered.of_kind("Ingress") for each in ingress["spec"]["tls"]]
    assert names == ["wildcard", "wildcard"]


def test_without_an_issuer_the_controllers_certificate_is_used(render):
    """TLS stays on, but no Secret is named that nobody would fill."""
    rendered = render("staging", {"ingress": {"clusterIssuer": ""}})
    for ingress in rendered.of_kind("Ingress"):
        assert ingress["spec"]["tls"] == [{"hosts": ["staging.todo.example.com"]}]
        assert "cert-manager.io/cluster-issuer" not in ingress["metadata"].get("annotations", {})


def test_annotations_can_be_swapped_for_another_controllers(render):
    """A null takes a default away; what is left is what the values say."""
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
