"""Whether a request from outside reaches a pod."""

from datetime import timedelta
from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    CERTIFICATES,
    GATEWAYS,
    HTTP_ROUTES,
    INGRESSES,
    PODS,
    SERVICES,
)
from todo_release.preflight.checks.network import CHECK
from todo_release.preflight.snapshot import Certificate, SecretSummary, UnreadError

from ..snapshots import (
    CONFIG,
    NOW,
    error_causes,
    findings_of,
    live_object,
    make_config,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)


def service(name: str = "web", *, ports: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    """Returns a Service in front of a workload."""
    body = {
        "selector": {"app": name},
        "ports": ports or [{"name": "http", "port": 80, "targetPort": "http"}],
        **spec,
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def app(name: str = "web") -> dict[str, Any]:
    """Returns a workload that listens on a port named http."""
    ports = [{"name": "http", "containerPort": 8000}]
    return workload(
        name, containers=[{"name": name, "image": f"registry.test/shop/{name}@sha256:1", "ports": ports}]
    )


def ingress(
    paths: dict[str, str] | None = None, *, name: str = "web", host: str = "shop.test", tls: str = ""
) -> dict[str, Any]:
    """Returns an Ingress that sends paths to Services."""
    rules = [
        {"path": path, "pathType": "Prefix", "backend": {"service": {"name": to, "port": {"name": "http"}}}}
        for path, to in (paths or {"/": "web"}).items()
    ]
    spec = {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": rules}}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": spec | ({"tls": [{"hosts": [host], "secretName": tls}]} if tls else {}),
    }


def http_route(
    paths: dict[str, str] | None = None, *, name: str = "web", host: str = "shop.test", port: int = 80
) -> dict[str, Any]:
    """Returns an HTTPRoute that sends paths to Services."""
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"name": to, "port": port}],
        }
        for path, to in (paths or {"/": "web"}).items()
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "web"}], "hostnames": [host], "rules": rules},
    }


def gateway(*, tls: str = "tls", issuer: str = "") -> dict[str, Any]:
    """Returns a Gateway with a certificate."""
    listener = {"name": "https", "hostname": "shop.test", "tls": {"certificateRefs": [{"name": tls}]}}
    annotations = {"annotations": {"cert-manager.io/cluster-issuer": issuer}} if issuer else {}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "web", **annotations},
        "spec": {"gatewayClassName": "envoy", "listeners": [{"name": "http"}, listener]},
    }


SHOP = (app("web"), app("api"), service("web"), service("api"))


def test_valid_network_is_no_finding() -> None:
    """Services without a selector and paths without a Service are valid too."""
    headless = service(selector=None)
    headless["metadata"]["name"] = "outside"
    bare = ingress(name="bare")
    bare["spec"]["rules"] = [
        {"http": {"paths": [{"path": "/x", "backend": {"resource": {"name": "bucket"}}}]}}
    ]
    assert (
        summaries_of(
            CHECK,
            make_snapshot(*SHOP, headless, bare, ingress({"/api": "api", "/api/auth": "web", "/": "web"})),
        )
        == []
    )


def test_service_that_selects_no_pod_of_the_chart_is_an_error() -> None:
    """A Service that selects only live pods is a warning."""
    misspelled = service("web", selector={"app": "wbe"})
    assert error_causes(CHECK, make_snapshot(app(), misspelled)) == [
        "It selects the labels app=wbe, which no pod of the chart has."
    ]
    live_lists = {PODS: [{"metadata": {"name": "p", "namespace": "staging", "labels": {"app": "wbe"}}}]}
    assert severities_of(CHECK, make_snapshot(app(), misspelled, lists=live_lists)) == ["warning"]


def test_missing_named_target_port_is_an_error() -> None:
    """A target port that is a number need not be declared."""
    named = service(ports=[{"port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 9000}, {"port": 82}])
    (finding,) = findings_of(CHECK, make_snapshot(app(), named))
    assert finding.cause == "Its port 80 leads to 'web', and Deployment/web has no port of that name."
    assert (finding.remedy, finding.path) == ("Use one of: http.", "spec.ports[0].targetPort")


def test_missing_backend_or_backend_port_is_an_error() -> None:
    """The backend must exist in the chart or in the namespace."""
    assert error_causes(CHECK, make_snapshot(*SHOP, ingress({"/": "gone"}))) == [
        "It sends requests to Service gone, which does not exist."
    ]
    live_lists = {SERVICES: [live_object({**service(), "metadata": {"name": "gone"}})]}
    assert summaries_of(CHECK, make_snapshot(*SHOP, ingress({"/": "gone"}), lists=live_lists)) == []
    other = service("web", ports=[{"name": "grpc", "port": 90, "targetPort": "http"}])
    assert error_causes(CHECK, make_snapshot(app(), other, ingress())) == [
        "It sends requests to port http of Service web, which has no such port."
    ]


def images_with(**changes: Any) -> dict[str, Any]:
    """Returns release.yaml with changes of the images web and api."""
    known = {name: {**CONFIG["images"][name], **changes.get(name, {})} for name in ("web", "api")}
    return {"config": make_config(images=known)}


def test_public_path_that_reaches_another_image_is_an_error() -> None:
    """Routes of images and paths of contracts must reach the image that they belong to."""
    routes = images_with(web={"routes": ["/api/auth/jwks"]}, api={"contract": "openapi.json"})
    contracts = {"api": {"paths": {"/api/todos": {}, "/api/health": {}}}}
    good = ingress({"/api": "api", "/api/auth": "web", "/": "web"})
    assert summaries_of(CHECK, make_snapshot(*SHOP, good, contracts=contracts, **routes)) == []
    (finding,) = findings_of(
        CHECK, make_snapshot(*SHOP, ingress({"/api": "api", "/": "web"}), contracts=contracts, **routes)
    )
    assert finding.cause == (
        "shop.test/api/auth/jwks belongs to web, but its longest path, /api, leads to api."
    )
    assert finding.remedy == "Add a longer path that leads to web."
    missing = ingress({"/": "web"})
    assert len(error_causes(CHECK, make_snapshot(*SHOP, missing, contracts=contracts, **routes))) == 2


def test_path_prefixes_are_compared_by_whole_segments() -> None:
    """The prefix /api does not match /apiary."""
    assert (
        summaries_of(
            CHECK, make_snapshot(*SHOP, ingress({"/api": "api"}), **images_with(web={"routes": ["/apiary"]}))
        )
        == []
    )
    assert (
        summaries_of(
            CHECK,
            make_snapshot(
                app("api"), service("api"), ingress({"/": "api"}), **images_with(web={"routes": ["/x"]})
            ),
        )
        == []
    )


def test_paths_with_regular_expressions_are_not_checked() -> None:
    """Only the controller knows what a regular expression matches."""
    regex = ingress({"/api": "api"})
    regex["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/use-regex": "true"}
    assert (
        summaries_of(CHECK, make_snapshot(*SHOP, regex, **images_with(web={"routes": ["/api/auth"]}))) == []
    )


def test_path_of_two_services_is_an_error() -> None:
    """The controller would use the older Ingress."""
    assert error_causes(
        CHECK, make_snapshot(*SHOP, ingress({"/": "web"}), ingress({"/": "api"}, name="other"))
    ) == ["shop.test/ leads to api, and in Ingress/web to web."]


def with_balancer(address: str) -> dict[Any, Any]:
    """Returns the live Ingress with the address of its load balancer."""
    return {
        INGRESSES: [live_object(ingress()) | {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}]
    }


def test_host_without_an_address_is_an_error_once_it_is_served() -> None:
    """The remedy names the load balancer's address for the DNS record."""
    lists = with_balancer("203.0.113.7")
    snapshot = make_snapshot(*SHOP, ingress(), addresses={"shop.test": ()}, lists=lists)
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.path) == ("error", "spec.rules[0].host")
    assert finding.remedy == "Create a DNS record for it with 203.0.113.7."
    assert summaries_of(CHECK, make_snapshot(*SHOP, ingress(), addresses={"shop.test": ()})) == [
        ("warning", "Ingress/web", finding.cause)
    ]


def test_service_whose_pods_an_operator_may_make_is_a_warning() -> None:
    """The labels of an operator's pods are not known before."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db"},
        "spec": {"selector": {"a": "b"}},
    }
    assert [finding.severity.value for finding in findings_of(CHECK, make_snapshot(service))] == ["error"]
    database = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"}}
    findings = findings_of(CHECK, make_snapshot(service, database))
    assert [finding.severity.value for finding in findings] == ["warning"]


def test_canary_ingress_repeats_paths_on_purpose() -> None:
    """The controller sends a part of the requests to another Service."""
    canary = ingress({"/": "api"}, name="canary")
    canary["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/canary": "true"}
    assert error_causes(CHECK, make_snapshot(*SHOP, ingress(), canary)) == []


def test_host_with_another_address_is_a_warning() -> None:
    """An address that is not the load balancer's may belong to a proxy."""
    snapshot = make_snapshot(
        *SHOP, ingress(), addresses={"shop.test": ("198.51.100.1",)}, lists=with_balancer("203.0.113.7")
    )
    assert summaries_of(CHECK, snapshot) == [
        ("warning", "Ingress/web", "shop.test is 198.51.100.1, the load balancer is 203.0.113.7.")
    ]
    good = make_snapshot(
        *SHOP, ingress(), addresses={"shop.test": ("203.0.113.7",)}, lists=with_balancer("203.0.113.7")
    )
    assert summaries_of(CHECK, good) == []


def test_balancer_address_comes_from_the_controllers_service_on_a_first_release() -> None:
    """Before the Ingress exists, the controller's Service has the address."""
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}, {"hostname": "lb.test"}]}}
    controller = {
        "metadata": {"name": "ingress-nginx-controller", "namespace": "ingress-nginx"},
        "spec": {"type": "LoadBalancer"},
        "status": status,
    }
    snapshot = make_snapshot(
        *SHOP, ingress(), addresses={"shop.test": ("192.0.2.1",)}, lists={SERVICES: [controller]}
    )
    assert severities_of(CHECK, snapshot) == ["warning"]


def test_hosts_are_not_resolved_for_connect_to_and_wildcards() -> None:
    """A rehearsal connects to a fixed address, and a wildcard host has no address."""
    environments = {
        **CONFIG["environments"],
        "staging": {**CONFIG["environments"]["staging"], "smoke": {"connect_to": "127.0.0.1:1"}},
    }
    elsewhere = make_config(environments=environments)
    assert (
        summaries_of(CHECK, make_snapshot(*SHOP, ingress(), addresses={"shop.test": ()}, config=elsewhere))
        == []
    )
    wild = make_snapshot(*SHOP, ingress(host="*.shop.test"), addresses={"*.shop.test": ()})
    assert summaries_of(CHECK, wild) == []


def tls_secret(days: int, *names: str) -> list[SecretSummary]:
    """Returns a TLS Secret whose certificate lasts this long."""
    facts = Certificate(names=names or ("shop.test",), expires_at=NOW + timedelta(days=days))
    return [SecretSummary(name="tls", certificate=facts)]


def ingress_with_issuer(**rest: Any) -> dict[str, Any]:
    """Returns an Ingress with an issuer."""
    rendered = ingress(tls="tls", **rest)
    rendered["metadata"]["annotations"] = {"cert-manager.io/cluster-issuer": "letsencrypt"}
    return rendered


@pytest.mark.parametrize(
    ("secrets", "has_issuer", "severity", "cause"),
    [
        (tls_secret(60), False, None, ""),
        (tls_secret(60, "*.test"), False, None, ""),
        ([], False, "warning", "There is no certificate in Secret tls, and no issuer is annotated"),
        ([SecretSummary(name="tls")], False, "warning", "There is no certificate in Secret tls"),
        (tls_secret(-1), False, "error", "The certificate in Secret tls has expired on 2026-11-23."),
        (tls_secret(-1), True, "warning", "The certificate in Secret tls has expired on 2026-11-23."),
        (tls_secret(5), False, "warning", "The certificate in Secret tls expires in 5 days."),
        (tls_secret(5), True, "warning", "The certificate in Secret tls expires in 5 days."),
        (
            tls_secret(60, "old.test"),
            False,
            "error",
            "The certificate in Secret tls is for old.test, not for",
        ),
        (
            tls_secret(60, "old.test"),
            True,
            "warning",
            "The certificate in Secret tls is for old.test, not for",
        ),
    ],
)
def test_certificate_problems_are_warnings_with_an_issuer_and_errors_without(
    secrets: list[SecretSummary], has_issuer: bool, severity: str | None, cause: str
) -> None:
    """An issuer renews a certificate, so its problems are only warnings."""
    rendered = ingress_with_issuer() if has_issuer else ingress(tls="tls")
    findings = findings_of(CHECK, make_snapshot(*SHOP, rendered, secrets=secrets))
    assert [(finding.severity.value, finding.cause[: len(cause)]) for finding in findings] == (
        [(severity, cause)] if severity else []
    )


def test_tls_secret_of_two_ingresses_is_checked_once() -> None:
    """One annotated issuer is enough, and a Secret of the chart itself is not checked."""
    (finding,) = findings_of(
        CHECK, make_snapshot(*SHOP, ingress_with_issuer(), ingress({"/sse": "api"}, name="sse", tls="tls"))
    )
    assert finding.severity.value == "warning"
    rendered = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}}
    assert summaries_of(CHECK, make_snapshot(*SHOP, ingress(tls="tls"), rendered)) == []


def test_first_certificate_that_takes_longer_than_smoke_checks_is_a_warning() -> None:
    """Issuing takes about 120 seconds; a longer timeout makes it a note."""
    (finding,) = findings_of(CHECK, make_snapshot(*SHOP, ingress_with_issuer()))
    assert finding.cause == (
        "Its first certificate is issued by this release, which takes about 120 s; the smoke checks wait"
        " 60 s."
    )
    patient = make_config(smoke={"timeout_seconds": 300})
    assert severities_of(CHECK, make_snapshot(*SHOP, ingress_with_issuer(), config=patient)) == ["note"]


def test_certificate_that_is_not_issued_says_why() -> None:
    """The warning has the message of the Certificate."""
    condition = {"type": "Ready", "status": "False", "message": "Waiting for the challenge."}
    live_lists = {
        "metadata": {"name": "tls"},
        "spec": {"secretName": "tls"},
        "status": {"conditions": [condition]},
    }
    (finding,) = findings_of(
        CHECK, make_snapshot(*SHOP, ingress_with_issuer(), lists={CERTIFICATES: [live_lists]})
    )
    assert finding.cause == "The certificate for Secret tls is not issued: Waiting for the challenge."


def node_port(namespace: str, name: str = "other") -> dict[Any, Any]:
    """Returns a live Service with a node port."""
    return {
        SERVICES: [
            {"metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"nodePort": 30080}]}}
        ]
    }


def test_node_port_of_another_service_is_an_error() -> None:
    """The API server refuses a node port that another Service has."""
    mine = service(ports=[{"port": 80, "targetPort": "http", "nodePort": 30080}])
    assert error_causes(CHECK, make_snapshot(app(), mine, lists=node_port("production"))) == [
        "The node port 30080 is taken by Service production/other."
    ]
    assert summaries_of(CHECK, make_snapshot(app(), mine, lists=node_port("staging", "web"))) == []


@pytest.mark.parametrize(
    ("namespace", "changes", "count"),
    [
        ("other", {}, 1),
        ("staging", {}, 0),
        ("other", {"host": "else.test"}, 0),
        ("other", {"paths": {"/x": "web"}}, 0),
    ],
)
def test_host_and_path_of_another_namespace_is_an_error(
    namespace: str, changes: dict[str, Any], count: int
) -> None:
    """One controller cannot serve the same host and path for two namespaces."""
    theirs = live_object(ingress(**changes), namespace=namespace)
    assert len(error_causes(CHECK, make_snapshot(*SHOP, ingress(), lists={INGRESSES: [theirs]}))) == count
    theirs["spec"]["ingressClassName"] = "internal"
    assert error_causes(CHECK, make_snapshot(*SHOP, ingress(), lists={INGRESSES: [theirs]})) == []


def test_unread_other_namespaces_are_a_note() -> None:
    """Collisions cannot be excluded if other namespaces may not be listed."""
    snapshot = make_snapshot(*SHOP, ingress(), live={"partial": frozenset({INGRESSES})})
    assert severities_of(CHECK, snapshot) == ["note"]
    with pytest.raises(UnreadError, match="of other namespaces"):
        snapshot.in_cluster(INGRESSES)


def test_paths_of_a_route_are_checked_as_those_of_an_ingress() -> None:
    """The longest prefix of an HTTPRoute takes a request, and an exact path only its own."""
    routes = images_with(web={"routes": ["/api/auth/jwks"]})
    good = http_route({"/api": "api", "/api/auth": "web", "/": "web"})
    assert summaries_of(CHECK, make_snapshot(*SHOP, good, **routes)) == []
    bad = http_route({"/api": "api", "/": "web"})
    assert error_causes(CHECK, make_snapshot(*SHOP, bad, **routes)) == [
        "shop.test/api/auth/jwks belongs to web, but its longest path, /api, leads to api."
    ]
    exact = http_route({"/api": "api", "/": "web"})
    exact["spec"]["rules"][0]["matches"][0]["path"]["type"] = "Exact"
    assert error_causes(CHECK, make_snapshot(*SHOP, exact, **routes)) == []


def test_route_that_only_redirects_or_matches_headers_is_no_path() -> None:
    """Neither competes with the path of another route; a match by header is known to the controller only."""
    redirect = http_route(name="redirect")
    redirect["spec"]["rules"] = [{"filters": [{"type": "RequestRedirect"}]}]
    by_header = http_route({"/": "api"}, name="header")
    by_header["spec"]["rules"][0]["matches"][0]["headers"] = [{"name": "x", "value": "1"}]
    assert error_causes(CHECK, make_snapshot(*SHOP, http_route(), redirect, by_header)) == []
    regular = http_route({"/api": "api"})
    regular["spec"]["rules"][0]["matches"][0]["path"]["type"] = "RegularExpression"
    paths = images_with(web={"routes": ["/api/auth"]})
    assert error_causes(CHECK, make_snapshot(*SHOP, regular, **paths)) == []


def test_each_backend_of_a_route_must_exist() -> None:
    """A path may share its requests among Services, and each of them is checked with its port."""
    shared = http_route()
    shared["spec"]["rules"][0]["backendRefs"].append({"name": "gone", "port": 80, "weight": 10})
    assert error_causes(CHECK, make_snapshot(*SHOP, shared)) == [
        "It sends requests to Service gone, which does not exist."
    ]
    assert error_causes(CHECK, make_snapshot(*SHOP, http_route(port=81))) == [
        "It sends requests to port 81 of Service web, which has no such port."
    ]


def test_host_of_a_route_is_compared_with_the_address_of_its_gateway() -> None:
    """The address is in the status of the live Gateway."""
    live = live_object(gateway()) | {"status": {"addresses": [{"type": "IPAddress", "value": "203.0.113.7"}]}}
    rest: dict[str, Any] = {"lists": {GATEWAYS: [live]}, "secrets": tls_secret(60)}
    objects = (*SHOP, gateway(), http_route())
    wrong = make_snapshot(*objects, addresses={"shop.test": ("198.51.100.1",)}, **rest)
    assert summaries_of(CHECK, wrong) == [
        ("warning", "HTTPRoute/web", "shop.test is 198.51.100.1, the load balancer is 203.0.113.7.")
    ]
    assert (
        summaries_of(CHECK, make_snapshot(*objects, addresses={"shop.test": ("203.0.113.7",)}, **rest)) == []
    )


def test_certificate_of_a_listener_is_checked_as_that_of_an_ingress() -> None:
    """The listener names Secret and host, the Gateway the issuer."""
    (finding,) = findings_of(CHECK, make_snapshot(*SHOP, gateway(), secrets=tls_secret(60, "old.test")))
    assert (finding.severity.value, finding.subject) == ("error", "Gateway/web")
    assert finding.path == "spec.listeners[1].tls.certificateRefs[0].name"
    first = make_snapshot(*SHOP, gateway(issuer="letsencrypt"))
    assert [finding.cause[:32] for finding in findings_of(CHECK, first)] == [
        "Its first certificate is issued "
    ]


def test_certificate_in_another_namespace_is_not_looked_for_in_this_one() -> None:
    """A ReferenceGrant may allow it, and a reference may name another kind than a Secret."""
    elsewhere, other = gateway(), gateway()
    elsewhere["spec"]["listeners"][1]["tls"]["certificateRefs"][0]["namespace"] = "certificates"
    other["spec"]["listeners"][1]["tls"]["certificateRefs"][0]["kind"] = "ClusterTrust"
    for rendered in (elsewhere, other):
        assert findings_of(CHECK, make_snapshot(*SHOP, rendered)) == []


def test_route_without_a_host_is_not_compared_with_those_of_others() -> None:
    """Its hosts are those of its Gateway's listeners, which may be another one's."""
    ours, theirs = http_route(), http_route(name="theirs")
    del ours["spec"]["hostnames"], theirs["spec"]["hostnames"]
    lists = {HTTP_ROUTES: [live_object(theirs, namespace="other")]}
    assert error_causes(CHECK, make_snapshot(*SHOP, ours, lists=lists)) == []


def test_host_and_path_of_a_route_in_another_namespace_is_an_error() -> None:
    """Two environments on one load balancer must not have the same host."""
    theirs = live_object(http_route(name="theirs"), namespace="other")
    snapshot = make_snapshot(*SHOP, http_route(), lists={HTTP_ROUTES: [theirs]})
    assert error_causes(CHECK, snapshot) == ["shop.test/ is already served by HTTPRoute other/theirs."]
