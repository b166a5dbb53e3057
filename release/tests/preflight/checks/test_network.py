"""Whether a request from outside finds its way to a pod."""

from datetime import timedelta
from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    CERTIFICATES,
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
    """A Service in front of a workload."""
    body = {
        "selector": {"app": name},
        "ports": ports or [{"name": "http", "port": 80, "targetPort": "http"}],
        **spec,
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def app(name: str = "web") -> dict[str, Any]:
    """A workload that listens."""
    ports = [{"name": "http", "containerPort": 8000}]
    return workload(
        name, containers=[{"name": name, "image": f"registry.test/shop/{name}@sha256:1", "ports": ports}]
    )


def ingress(
    paths: dict[str, str] | None = None, *, name: str = "web", host: str = "shop.test", tls: str = ""
) -> dict[str, Any]:
    """An Ingress that sends paths to Services."""
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


SHOP = (app("web"), app("api"), service("web"), service("api"))


def test_sound_network_says_nothing() -> None:
    """Services, ports, longer paths before shorter ones; what has no selector or no backend is left alone."""
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


def test_service_must_select_pods_of_the_chart() -> None:
    """One that selects pods which are there already is only a warning."""
    lost = service("web", selector={"app": "wbe"})
    assert error_causes(CHECK, make_snapshot(app(), lost)) == [
        "It selects the labels app=wbe, which no pod of the chart has."
    ]
    there = {PODS: [{"metadata": {"name": "p", "namespace": "staging", "labels": {"app": "wbe"}}}]}
    assert severities_of(CHECK, make_snapshot(app(), lost, lists=there)) == ["warning"]


def test_named_target_port_must_exist() -> None:
    """Numbers need not be declared."""
    named = service(ports=[{"port": 80, "targetPort": "web"}, {"port": 81, "targetPort": 9000}, {"port": 82}])
    (finding,) = findings_of(CHECK, make_snapshot(app(), named))
    assert finding.cause == "Its port 80 leads to 'web', and Deployment/web has no port of that name."
    assert (finding.remedy, finding.path) == ("Use one of: http.", "spec.ports[0].targetPort")


def test_backend_must_exist_with_its_port() -> None:
    """In the chart or in the namespace."""
    assert error_causes(CHECK, make_snapshot(*SHOP, ingress({"/": "gone"}))) == [
        "It sends requests to Service gone, which does not exist."
    ]
    there = {SERVICES: [live_object({**service(), "metadata": {"name": "gone"}})]}
    assert summaries_of(CHECK, make_snapshot(*SHOP, ingress({"/": "gone"}), lists=there)) == []
    other = service("web", ports=[{"name": "grpc", "port": 90, "targetPort": "http"}])
    assert error_causes(CHECK, make_snapshot(app(), other, ingress())) == [
        "It sends requests to port http of Service web, which has no such port."
    ]


def images(**changes: Any) -> dict[str, Any]:
    """The images of release.yaml with more about web and api."""
    known = {name: {**CONFIG["images"][name], **changes.get(name, {})} for name in ("web", "api")}  # type: ignore[index]
    return {"config": make_config(images=known)}


def test_path_that_a_shorter_one_swallows_is_an_error() -> None:
    """What belongs to one image must not land at another; paths of a contract are such paths."""
    routes = images(web={"routes": ["/api/auth/jwks"]}, api={"contract": "openapi.json"})
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


def test_prefixes_are_compared_by_whole_parts() -> None:
    """`/api` takes no `/apiary`; what no path takes and what no Service serves is nobody's."""
    assert (
        summaries_of(
            CHECK, make_snapshot(*SHOP, ingress({"/api": "api"}), **images(web={"routes": ["/apiary"]}))
        )
        == []
    )
    assert (
        summaries_of(
            CHECK,
            make_snapshot(
                app("api"), service("api"), ingress({"/": "api"}), **images(web={"routes": ["/x"]})
            ),
        )
        == []
    )


def test_regular_expressions_are_not_second_guessed() -> None:
    """What they take is the controller's to say."""
    regex = ingress({"/api": "api"})
    regex["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/use-regex": "true"}
    assert summaries_of(CHECK, make_snapshot(*SHOP, regex, **images(web={"routes": ["/api/auth"]}))) == []


def test_one_path_cannot_lead_to_two_services() -> None:
    """Whichever is older would win."""
    assert error_causes(
        CHECK, make_snapshot(*SHOP, ingress({"/": "web"}), ingress({"/": "api"}, name="other"))
    ) == ["shop.test/ leads to api, and in Ingress/web to web."]


def balancer(address: str) -> dict[Any, Any]:
    """The live Ingress with the address of its load balancer."""
    return {
        INGRESSES: [live_object(ingress()) | {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}]
    }


def test_host_without_an_address_is_an_error() -> None:
    """The load balancer's is offered for the record."""
    snapshot = make_snapshot(*SHOP, ingress(), addresses={"shop.test": ()}, lists=balancer("203.0.113.7"))
    (finding,) = findings_of(CHECK, snapshot)
    assert (finding.severity.value, finding.path) == ("error", "spec.rules[0].host")
    assert finding.remedy == "Create a DNS record for it with 203.0.113.7."
    assert error_causes(CHECK, make_snapshot(*SHOP, ingress(), addresses={"shop.test": ()})) == [
        finding.cause
    ]


def test_host_with_another_address_is_a_warning() -> None:
    """A proxy may stand before the load balancer."""
    snapshot = make_snapshot(
        *SHOP, ingress(), addresses={"shop.test": ("198.51.100.1",)}, lists=balancer("203.0.113.7")
    )
    assert summaries_of(CHECK, snapshot) == [
        ("warning", "Ingress/web", "shop.test is 198.51.100.1, the load balancer is 203.0.113.7.")
    ]
    good = make_snapshot(
        *SHOP, ingress(), addresses={"shop.test": ("203.0.113.7",)}, lists=balancer("203.0.113.7")
    )
    assert summaries_of(CHECK, good) == []


def test_address_comes_from_the_controllers_service_on_a_first_release() -> None:
    """The Ingress is not there yet."""
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


def test_hosts_are_not_asked_where_checks_connect_elsewhere_nor_for_wildcards() -> None:
    """A rehearsal has no DNS."""
    environments = {
        **CONFIG["environments"],  # type: ignore[dict-item]
        "staging": {**CONFIG["environments"]["staging"], "smoke": {"connect_to": "127.0.0.1:1"}},  # type: ignore[index]
    }
    elsewhere = make_config(environments=environments)
    assert (
        summaries_of(CHECK, make_snapshot(*SHOP, ingress(), addresses={"shop.test": ()}, config=elsewhere))
        == []
    )
    wild = make_snapshot(*SHOP, ingress(host="*.shop.test"), addresses={"*.shop.test": ()})
    assert summaries_of(CHECK, wild) == []


def certificate(days: int, *names: str) -> list[SecretSummary]:
    """A TLS Secret whose certificate lasts that long."""
    facts = Certificate(names=names or ("shop.test",), expires_at=NOW + timedelta(days=days))
    return [SecretSummary(name="tls", certificate=facts)]


def with_issuer(**rest: Any) -> dict[str, Any]:
    """An Ingress that asks for its certificate."""
    made = ingress(tls="tls", **rest)
    made["metadata"]["annotations"] = {"cert-manager.io/cluster-issuer": "letsencrypt"}
    return made


@pytest.mark.parametrize(
    ("secrets", "has_issuer", "severity", "cause"),
    [
        (certificate(60), False, None, ""),
        (certificate(60, "*.test"), False, None, ""),
        ([], False, "error", "There is no certificate in Secret tls, and no issuer is annotated"),
        ([SecretSummary(name="tls")], False, "error", "There is no certificate in Secret tls"),
        (certificate(-1), False, "error", "The certificate in Secret tls has expired on 2026-11-23."),
        (certificate(-1), True, "warning", "The certificate in Secret tls has expired on 2026-11-23."),
        (certificate(5), False, "warning", "The certificate in Secret tls expires in 5 days."),
        (certificate(5), True, "warning", "The certificate in Secret tls expires in 5 days."),
        (
            certificate(60, "old.test"),
            False,
            "error",
            "The certificate in Secret tls is for old.test, not for",
        ),
        (
            certificate(60, "old.test"),
            True,
            "warning",
            "The certificate in Secret tls is for old.test, not for",
        ),
    ],
)
def test_certificate_is_there_for_the_host_and_lasts(
    secrets: list[SecretSummary], has_issuer: bool, severity: str | None, cause: str
) -> None:
    """What an issuer will put right is a warning, what nobody will an error."""
    rendered = with_issuer() if has_issuer else ingress(tls="tls")
    findings = findings_of(CHECK, make_snapshot(*SHOP, rendered, secrets=secrets))
    assert [(finding.severity.value, finding.cause[: len(cause)]) for finding in findings] == (
        [(severity, cause)] if severity else []
    )


def test_secret_that_two_ingresses_share_is_judged_once() -> None:
    """And one of them asking is enough; one that the chart makes is not looked at."""
    (finding,) = findings_of(
        CHECK, make_snapshot(*SHOP, with_issuer(), ingress({"/sse": "api"}, name="sse", tls="tls"))
    )
    assert finding.severity.value == "warning"
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}}
    assert summaries_of(CHECK, make_snapshot(*SHOP, ingress(tls="tls"), made)) == []


def test_first_certificate_must_fit_into_the_patience_of_the_smoke_checks() -> None:
    """60 seconds are not enough for a challenge; a patient environment only notes it."""
    (finding,) = findings_of(CHECK, make_snapshot(*SHOP, with_issuer()))
    assert finding.cause == (
        "Its first certificate is issued by this release, which takes about 120 s; the smoke checks wait"
        " 60 s."
    )
    patient = make_config(smoke={"timeout_seconds": 300})
    assert severities_of(CHECK, make_snapshot(*SHOP, with_issuer(), config=patient)) == ["note"]


def test_certificate_that_is_not_issued_says_why() -> None:
    """In cert-manager's words."""
    condition = {"type": "Ready", "status": "False", "message": "Waiting for the challenge."}
    there = {
        "metadata": {"name": "tls"},
        "spec": {"secretName": "tls"},
        "status": {"conditions": [condition]},
    }
    (finding,) = findings_of(CHECK, make_snapshot(*SHOP, with_issuer(), lists={CERTIFICATES: [there]}))
    assert finding.cause == "The certificate for Secret tls is not issued: Waiting for the challenge."


def node_port(namespace: str, name: str = "other") -> dict[Any, Any]:
    """A live Service with a node port."""
    return {
        SERVICES: [
            {"metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"nodePort": 30080}]}}
        ]
    }


def test_node_port_of_another_service_is_an_error() -> None:
    """The API server refuses it; our own is ours."""
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
    """The controller refuses one of the two, or mixes them."""
    theirs = live_object(ingress(**changes), namespace=namespace)
    assert len(error_causes(CHECK, make_snapshot(*SHOP, ingress(), lists={INGRESSES: [theirs]}))) == count
    theirs["spec"]["ingressClassName"] = "internal"
    assert error_causes(CHECK, make_snapshot(*SHOP, ingress(), lists={INGRESSES: [theirs]})) == []


def test_other_namespaces_that_may_not_be_seen_are_a_note() -> None:
    """Collisions cannot be excluded then."""
    snapshot = make_snapshot(*SHOP, ingress(), live={"partial": frozenset({INGRESSES})})
    assert severities_of(CHECK, snapshot) == ["note"]
    with pytest.raises(UnreadError, match="of other namespaces"):
        snapshot.in_cluster(INGRESSES)
