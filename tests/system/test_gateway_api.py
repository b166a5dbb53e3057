"""The Gateway API variant of the chart, served on a real cluster beside the release's Ingress objects."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from kubernetes import client

from todo_synthetic_user.origin import Origin

from .conftest import HOSTS, ROOT, RepositoryClone

DEFINITIONS = "sigs.k8s.io/gateway-api@v1.4.0"
NAMESPACE, HTTP_PORT, HTTPS_PORT = "gateway-api", 8000, 8443
HOST = HOSTS["production"]
VALUES: dict[str, Any] = {
    "ingress": {
        "enabled": True,
        "kind": "gateway",
        "host": HOST,
        "clusterIssuer": "",
        "tlsSecret": f"{HOST}-tls",
        "gateway": {"className": "traefik", "httpPort": HTTP_PORT, "httpsPort": HTTPS_PORT},
    },
    "networkPolicies": {
        "enabled": True,
        "ingressController": {"namespace": NAMESPACE, "podLabels": {"app": "traefik"}},
    },
}
# Longer than the 15 s after which Envoy cuts a stream without a time-out of its own.
STREAM_SECONDS = 20


def run(*command: str, text: str = "") -> str:
    """Runs a program and returns its output; fails the test with what it printed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode:
        pytest.fail(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns Gateway, routes and policies of production; policies get names beside the release's own."""
    command = ["helm", "template", "todo-app", str(ROOT / "chart"), "--namespace=production", "--values=-"]
    printed = run(*command, text=json.dumps(values))
    objects = [item for item in yaml.safe_load_all(printed) if item]
    chosen = [item for item in objects if item["kind"] in {"Gateway", "HTTPRoute", "NetworkPolicy"}]
    for item in chosen:
        item["metadata"].update(namespace="production")
        if item["kind"] == "NetworkPolicy":
            item["metadata"]["name"] += "-gateway"
            item["metadata"].pop("annotations", None)
    return [item for item in chosen if not item["metadata"]["name"].endswith("-unlisted-pods-gateway")]


@pytest.fixture(scope="module")
def controller(first_release: str) -> Iterator[str]:
    """The address of a controller for the Gateway API that serves production; all of it is removed again."""
    module = json.loads(run("go", "mod", "download", "-json", DEFINITIONS))
    definitions = str(Path(module["Dir"]) / "config/crd/standard")
    objects = yaml.safe_dump_all(rendered(VALUES))
    known = client.AppsV1Api().read_namespaced_deployment("traefik", "ingress-nginx")
    image = known.spec.template.spec.containers[0].image
    manifest = Path(__file__).with_name("gateway.yaml").read_text(encoding="utf-8").replace("IMAGE", image)
    run("kubectl", "apply", "--server-side", "--filename", definitions)
    try:
        run("kubectl", "wait", "--for=condition=Established", "--filename", definitions, "--timeout=60s")
        run("kubectl", "apply", "--filename=-", text=manifest)
        run("kubectl", "apply", "--filename=-", text=objects)
        rollout = ("rollout", "status", "deployment/traefik", f"--namespace={NAMESPACE}", "--timeout=90s")
        run("kubectl", *rollout)
        programmed = ("wait", "gateway/todo-app", "--namespace=production", "--for=condition=Programmed")
        run("kubectl", *programmed, "--timeout=60s")
        (pod,) = client.CoreV1Api().list_namespaced_pod(NAMESPACE).items
        yield str(pod.status.pod_ip)
    finally:
        run("kubectl", "delete", "--ignore-not-found", "--filename=-", text=objects)
        run("kubectl", "delete", "--ignore-not-found", "--filename=-", text=manifest)
        run("kubectl", "delete", "--ignore-not-found", "--filename", definitions)


@pytest.fixture
def origin(controller: str, clone: RepositoryClone) -> Origin:
    """Production as the Gateway serves it."""
    overlay = yaml.safe_load(clone.overlay.read_text(encoding="utf-8"))
    ca_file = Path(overlay["environments"]["production"]["smoke"]["ca_file"])
    return Origin(f"https://{HOST}", connect_to=(controller, HTTPS_PORT), ca_file=ca_file)


def test_routes_are_accepted_by_the_controller(controller: str) -> None:
    """No rule is refused, also not the stream's time-outs, which this controller ignores."""
    routes = json.loads(run("kubectl", "get", "httproute", "--namespace=production", "--output=json"))[
        "items"
    ]
    conditions = {
        (route["metadata"]["name"], condition["type"]): condition["status"]
        for route in routes
        for parent in route["status"]["parents"]
        for condition in parent["conditions"]
    }
    assert {status for (_, kind), status in conditions.items() if kind in {"Accepted", "ResolvedRefs"}} == {
        "True"
    }
    assert {name for name, _ in conditions} == {"todo-app", "todo-app-redirect"}


def test_each_path_reaches_its_service(origin: Origin) -> None:
    """The answers are those of the services that the Ingress objects lead to."""
    with origin.client() as http:
        assert http.get("/api/health").json()["service"] == "backend"
        assert http.get("/healthz").json()["service"] == "frontend"
        assert "keys" in http.get("/api/auth/jwks").json()
        statuses = {
            path: http.get(path).status_code for path in ("/api/todos", "/api/notifications", "/sse/tasks")
        }
        assert set(statuses.values()) == {401}
        assert http.get("/.well-known/oauth-protected-resource/mcp").status_code == 200


def test_plain_requests_are_redirected_to_https(controller: str) -> None:
    """The redirect keeps path and host, and names no port."""
    answer = httpx2.get(f"http://{controller}:{HTTP_PORT}/api/health?a=1", headers={"Host": HOST})
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{HOST}/api/health?a=1")


def test_synthetic_user_and_long_streams_work(
    controller: str, clone: RepositoryClone, record_property: Callable[[str, object], None]
) -> None:
    """Accounts, tasks and streams work through the Gateway; a stream outlives Envoy's default time-out."""
    overlay = yaml.safe_load(clone.overlay.read_text(encoding="utf-8"))
    ca_file = overlay["environments"]["production"]["smoke"]["ca_file"]
    options = [f"--url=https://{HOST}", f"--connect-to={controller}:{HTTPS_PORT}", f"--ca-file={ca_file}"]
    run("todo-synthetic-user", *options)
    began = time.monotonic()
    printed = run("todo-synthetic-user", *options, "load", "--streams=2", f"--seconds={STREAM_SECONDS}")
    result = json.loads(printed.splitlines()[-1])
    record_property("requests", result["requests"])
    record_property("streams equal", f"{result['equal_streams']} of {result['streams']}")
    assert result["passed"]
    assert time.monotonic() - began > STREAM_SECONDS
