"""Isolation on a real cluster that enforces network policies: what must fail, and what must go on working.

Each test tries connections from inside pods. The attempts and their outcomes are printed as a table.
"""

import json
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client

from . import running_cluster
from .conftest import HOSTS, RepositoryClone
from .pod_shell import PodShell

RELEASES = {"staging": "todo-app-staging", "production": "todo-app"}
PORTS = {"frontend": 3000, "backend": 8000, "mcp": 8001, "notification": 8002, "sse-gateway": 8003}
SIDECARS = ("backend", "mcp", "notification", "sse-gateway")
DAPRD_METRICS, DAPRD_INTERNAL = 9090, 50002
CUT = {"refused", "timed out"}  # a network answers at once or not at all
TOKEN = {"dapr-api-token": "$DAPR_API_TOKEN"}
INVOKE = "http://localhost:3500/v1.0/invoke"


def service(environment: str, name: str) -> str:
    """Returns the DNS name of a service."""
    return f"{RELEASES[environment]}-{name}.{environment}.svc.cluster.local"


def pod_of(environment: str, name: str) -> PodShell:
    """Returns the application's container of a service."""
    return PodShell(environment, f"deployment/{RELEASES[environment]}-{name}", name)


def address_of(environment: str, name: str) -> str:
    """Returns the address of a running pod of a service."""
    labels = f"app.kubernetes.io/name={name},app.kubernetes.io/instance={RELEASES[environment]}"
    pods = client.CoreV1Api().list_namespaced_pod(
        environment, label_selector=labels, field_selector="status.phase=Running"
    )
    return str(next(pod for pod in pods.items if not pod.metadata.deletion_timestamp).status.pod_ip)


@pytest.fixture(scope="module")
def released(first_release: str) -> None:
    """The application in both environments, on a cluster whose network enforces policies."""


def create_shell(namespace: str, name: str, labels: dict[str, str]) -> None:
    """Creates a pod with Python that does nothing."""
    image = client.AppsV1Api().read_namespaced_deployment("todo-app-backend", "production")
    container = client.V1Container(
        name="shell",
        image=image.spec.template.spec.containers[0].image,
        command=["python", "-c", "import time; time.sleep(3600)"],
        resources=client.V1ResourceRequirements(
            requests={"cpu": "10m", "memory": "32Mi"}, limits={"cpu": "500m", "memory": "128Mi"}
        ),
        security_context=client.V1SecurityContext(
            run_as_user=10001,
            allow_privilege_escalation=False,
            capabilities=client.V1Capabilities(drop=["ALL"]),
        ),
    )
    spec = client.V1PodSpec(
        containers=[container],
        termination_grace_period_seconds=0,
        automount_service_account_token=False,
        security_context=client.V1PodSecurityContext(
            run_as_non_root=True, seccomp_profile=client.V1SeccompProfile(type="RuntimeDefault")
        ),
    )
    body = client.V1Pod(metadata=client.V1ObjectMeta(name=name, labels=labels), spec=spec)
    client.CoreV1Api().create_namespaced_pod(namespace, body)


@pytest.fixture(scope="module")
def shells(released: None) -> Iterator[dict[str, PodShell]]:
    """A pod that nobody listed in production, a Prometheus, and a pod beside Prometheus."""
    core = client.CoreV1Api()
    known = {item.metadata.name for item in core.list_namespace().items}
    if "monitoring" not in known:
        core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="monitoring")))
    wanted = {
        "unlisted": ("production", {"run": "shell"}),
        "prometheus": ("monitoring", {"app.kubernetes.io/name": "prometheus", "test": "isolation"}),
        "neighbour": ("monitoring", {"app.kubernetes.io/name": "grafana"}),
    }
    for name, (namespace, labels) in wanted.items():
        create_shell(namespace, f"isolation-{name}", labels)
    pods = {name: PodShell(namespace, f"pod/isolation-{name}") for name, (namespace, _) in wanted.items()}
    try:
        for pod in pods.values():
            pod.wait_until_ready()
        yield pods
    finally:
        for name, (namespace, _) in wanted.items():
            core.delete_namespaced_pod(f"isolation-{name}", namespace)


def test_pods_of_one_environment_do_not_reach_the_other(
    released: None, record_property: Callable[[str, object], None]
) -> None:
    """A pod of staging reaches no port of production, by name or by address, although its own works."""
    source = pod_of("staging", "backend")
    assert source.connect(service("staging", "frontend"), 3000) == "connected"
    outcomes = {
        (name, port): source.connect(host, port)
        for name, own in PORTS.items()
        for port in (own, DAPRD_METRICS)
        for host in (address_of("production", name),)
    }
    outcomes |= {
        (f"Service {name}", port): source.connect(service("production", name), port)
        for name, port in PORTS.items()
    }
    record_property("attempts refused", f"{sum(out in CUT for out in outcomes.values())} of {len(outcomes)}")
    assert {attempt: out for attempt, out in outcomes.items() if out not in CUT} == {}


def test_pods_reach_only_the_services_that_they_need(
    released: None, record_property: Callable[[str, object], None]
) -> None:
    """Each service is tried from each other; only the issuer's keys are open, metrics are not."""
    outcomes = {
        (source, target, port): pod_of("production", source).connect(address_of("production", target), port)
        for source in SIDECARS
        for target, own in PORTS.items()
        for port in {own, DAPRD_METRICS, DAPRD_INTERNAL}
        if source != target
    }
    connected = {attempt for attempt, out in outcomes.items() if out == "connected"}
    record_property("allowed", f"{len(connected)} of {len(outcomes)}")
    assert connected == {(source, "frontend", 3000) for source in SIDECARS} | {
        ("mcp", "backend", DAPRD_INTERNAL)
    }


def test_pod_that_nobody_listed_reaches_nothing(shells: dict[str, PodShell]) -> None:
    """A shell in production finds no name, no service, no API server and no database."""
    unlisted = shells["unlisted"]
    assert unlisted.connect(service("production", "backend"), 8000) == "no such name"
    for name, port in PORTS.items():
        assert unlisted.connect(address_of("production", name), port) in CUT, name
    assert unlisted.connect("10.96.0.1", 443) in CUT
    assert unlisted.connect(running_cluster.NODE_ADDRESS, 15432) in CUT
    assert pod_of("production", "backend").connect("10.96.0.1", 443) in CUT


def test_metrics_are_read_by_prometheus_only(shells: dict[str, PodShell]) -> None:
    """Prometheus reads every service and every sidecar; its neighbour in the namespace reads none."""
    for name, port in PORTS.items():
        url = f"http://{address_of('production', name)}:{port}/metrics"
        status, _ = shells["prometheus"].request("GET", url)
        assert status in {200, 401, 403, 404}, name  # it is answered; the frontend's may need more
        assert shells["neighbour"].request("GET", url)[0] == 0, name
    for name in SIDECARS:
        url = f"http://{address_of('production', name)}:{DAPRD_METRICS}/metrics"
        status, text = shells["prometheus"].request("GET", url)
        assert (status, "dapr_" in text) == (200, True), name
        assert shells["neighbour"].request("GET", url)[0] == 0, name


@pytest.mark.parametrize(("name", "port"), [("notification", 8002), ("sse-gateway", 8003)])
def test_forged_event_is_refused(
    shells: dict[str, PodShell], name: str, port: int, record_property: Callable[[str, object], None]
) -> None:
    """Whoever may reach the port, and even the own pod, cannot deliver an event without the token."""
    event = json.dumps(
        {"id": "forged", "type": "task.completed", "source": "x", "topic": "task-events", "data": {}}
    )
    url = f"http://{address_of('production', name)}:{port}/events/task-events"
    headers = {"Content-Type": "application/cloudevents+json"}
    status, text = shells["prometheus"].request("POST", url, headers=headers, body=event)
    assert (status, "Only for the sidecar" in text) == (403, True)
    own = pod_of("production", name)
    local = f"http://localhost:{port}/events/task-events"
    assert own.request("POST", local, headers=headers, body=event)[0] == 403
    # With the token the same event is read, and dropped because it is malformed.
    status, text = own.request(
        "POST", local, headers=headers | {"dapr-api-token": "$APP_API_TOKEN"}, body=event
    )
    assert (status, json.loads(text)) == (200, {"status": "DROP"})
    record_property("forged event", "403")


def test_only_listed_operations_can_be_invoked(
    released: None, record_property: Callable[[str, object], None]
) -> None:
    """The MCP server reaches the backend's tasks through the sidecars, and no other path, verb or app."""
    mcp = pod_of("production", "mcp")
    status, text = mcp.request("GET", f"{INVOKE}/backend/method/api/todos", headers=TOKEN)
    assert (status, "Sign-in required" in text) == (401, True)  # the backend itself answers
    assert mcp.request("GET", f"{INVOKE}/backend/method/api/todos/not-a-uuid", headers=TOKEN)[0] in {401, 422}
    for verb, path in (
        ("GET", "healthz"),
        ("GET", "metrics"),
        ("GET", "dapr/subscribe"),
        ("PUT", "api/todos/1"),
        ("GET", "api/todos/1/history"),
        ("POST", "events/task-events"),
    ):
        status, text = mcp.request(verb, f"{INVOKE}/backend/method/{path}", headers=TOKEN)
        assert (status, "access control policy has denied access" in text) == (403, True), (verb, path)
        record_property(f"{verb} /{path}", status)
    assert mcp.request("GET", f"{INVOKE}/notification/method/healthz", headers=TOKEN)[0] >= 500
    assert mcp.request("GET", f"{INVOKE}/backend/method/api/todos")[0] == 401  # the sidecar needs its token
    other = pod_of("production", "notification")
    assert other.request("GET", f"{INVOKE}/backend/method/api/todos", headers=TOKEN)[0] >= 400


@pytest.mark.parametrize("environment", HOSTS)
def test_application_works_under_the_policies(
    released: None, clone: RepositoryClone, environment: str
) -> None:
    """Smoke checks and a synthetic user, who signs in, changes tasks and follows the stream, are green."""
    policies = client.NetworkingV1Api().list_namespaced_network_policy(environment).items
    assert f"{RELEASES[environment]}-unlisted-pods" in {item.metadata.name for item in policies}
    clone.inv("verify", f"--env={environment}")
