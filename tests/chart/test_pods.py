"""The pods of a release: images by digest, requests and limits, and the least rights."""

import re
from collections import Counter

import pytest

BY_DIGEST = re.compile(r"^[a-z0-9./:-]+@sha256:[0-9a-f]{64}$")


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_images_are_named_by_digest(render, environment):
    """A pod runs the tested content, even if a tag moves."""
    images = [container["image"] for _, container in render(environment).containers()]
    assert len(images) == 8
    assert [image for image in images if not BY_DIGEST.match(image)] == []


def test_image_without_digest_is_named_by_tag(render):
    """A local cluster runs images without a digest."""
    assert render("local").one("Deployment", "-mcp")["spec"]["template"]["spec"]["containers"][0][
        "image"
    ] == ("todo-app/mcp:dev")


def test_names_within_a_pod_are_unique(rendered):
    """Kubernetes silently drops or merges a duplicate variable, port or volume name."""
    for workload, template in rendered.pod_templates():
        spec = template["spec"]
        for container in spec["containers"]:
            lists = [
                [item["name"] for item in container.get("env", [])],
                [item["name"] for item in container.get("ports", [])],
                [item["mountPath"] for item in container["volumeMounts"]],
            ]
            doubled = [name for names in lists for name, count in Counter(names).items() if count > 1]
            assert doubled == [], f"{workload}/{container['name']}"
        assert len({volume["name"] for volume in spec["volumes"]}) == len(spec["volumes"]), workload


PORTS = {"frontend": 3000, "backend": 8000, "mcp": 8001, "notification": 8002, "sse-gateway": 8003}


@pytest.mark.parametrize("service", PORTS)
def test_service_reaches_its_container_by_the_contract_port(rendered, service):
    """Service, container, PORT and sidecar use the same port."""
    [port] = rendered.one("Service", f"-{service}")["spec"]["ports"]
    template = rendered.one("Deployment", f"-{service}")["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert port == {"name": "http", "port": PORTS[service], "targetPort": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": PORTS[service]}]
    port = {entry["name"]: entry.get("value") for entry in container["env"]}["PORT"]
    annotations = template["metadata"].get("annotations", {})
    assert port == annotations.get("dapr.io/app-port", port) == str(PORTS[service])


def test_pods_of_a_service_prefer_different_nodes(rendered):
    """Two replicas prefer two nodes, but share the only node that is left."""
    for item in rendered.services():
        [spread] = item["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname"
        assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
        assert spread["labelSelector"] == item["spec"]["selector"]


def test_pods_have_no_variables_of_service_links(rendered):
    """Service links would add a variable for every Service in the namespace."""
    assert {template["spec"]["enableServiceLinks"] for _, template in rendered.pod_templates()} == {False}


def test_every_container_has_requests_and_limits(rendered):
    """Every container and sidecar has requests and limits, which the capacity check sums."""
    for workload, container in rendered.containers():
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) == {"cpu", "memory"}, (workload, bound)
    for item in rendered.services():
        annotations = item["spec"]["template"]["metadata"].get("annotations", {})
        sizes = {
            key for key in annotations if re.fullmatch(r"dapr.io/sidecar-(cpu|memory)-(request|limit)", key)
        }
        assert len(sizes) == (4 if "dapr.io/enabled" in annotations else 0)


def test_pods_meet_the_restricted_standard(rendered):
    """Every pod meets Pod Security's `restricted` level and has a read-only root."""
    for workload, template in rendered.pod_templates():
        pod = template["spec"]
        # No user here, because the injected daprd accepts only its own.
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, workload
        assert pod["automountServiceAccountToken"] is False, workload
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), workload
        assert [volume for volume in pod["volumes"] if "emptyDir" not in volume] == [], workload
    for workload, container in rendered.containers():
        context = container["securityContext"]
        assert context == {
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, workload
