"""The Gateway API variant: the same paths, services and certificate as the Ingress objects."""

import pytest

GATEWAY = {"ingress": {"kind": "gateway", "gateway": {"className": "traefik"}}}


@pytest.fixture
def gateway(render):
    """Production behind a Gateway."""
    return render("production", GATEWAY)


def rules(rendered):
    """Returns the rules of the route to the services by their path."""
    route = rendered.one("HTTPRoute", "todo-app")
    return {rule["matches"][0]["path"]["value"]: rule for rule in route["spec"]["rules"]}


def test_paths_and_services_are_those_of_the_ingresses(render, gateway):
    """A move from one to the other changes no address: each path leads to the same Service and port."""
    ports = {
        service["metadata"]["name"]: service["spec"]["ports"][0]["port"]
        for service in gateway.of_kind("Service")
    }
    expected = {
        path["path"]: [{"name": service, "port": ports[service]}]
        for ingress in render("production").of_kind("Ingress")
        for path in ingress["spec"]["rules"][0]["http"]["paths"]
        for service in [path["backend"]["service"]["name"]]
    }
    assert {path: rule["backendRefs"] for path, rule in rules(gateway).items()} == expected
    assert {rule["matches"][0]["path"]["type"] for rule in rules(gateway).values()} == {"PathPrefix"}


def test_stream_has_no_timeout_and_other_paths_have_the_controllers(gateway):
    """A request time-out of zero is none; Envoy's default would cut a stream after 15 s."""
    found = {path: rule["timeouts"] for path, rule in rules(gateway).items() if "timeouts" in rule}
    assert found == {"/sse": {"request": "0s", "backendRequest": "0s"}}


def test_certificate_is_requested_for_the_https_listener(gateway):
    """cert-manager reads the issuer on the Gateway, and the listener names the Secret and the host."""
    found = gateway.one("Gateway")
    assert found["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt-prod"}
    plain, secure = found["spec"]["listeners"]
    assert secure["tls"]["certificateRefs"] == [{"name": "todo.example.com-tls"}]
    assert {plain["hostname"], secure["hostname"]} == {"todo.example.com"}
    assert (plain["port"], secure["port"]) == (80, 443)


def test_plain_requests_are_redirected(gateway):
    """The redirect is on the plain listener only, and the services are on the other only."""
    redirect = gateway.one("HTTPRoute", "-redirect")["spec"]
    assert redirect["parentRefs"] == [{"name": "todo-app", "sectionName": "http"}]
    [rule] = redirect["rules"]
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}
    served = gateway.one("HTTPRoute", "todo-app")["spec"]
    assert served["parentRefs"] == [{"name": "todo-app", "sectionName": "https"}]


def test_gateway_without_class_or_certificate_is_a_contradiction(refusal):
    """A Gateway has no default class and no default certificate."""
    error = refusal("staging", {"ingress": {"kind": "gateway", "clusterIssuer": ""}})
    assert "ingress.gateway.className is empty although ingress.kind is gateway" in error
    assert "ingress.clusterIssuer and ingress.tlsSecret are empty although ingress.kind is gateway" in error
