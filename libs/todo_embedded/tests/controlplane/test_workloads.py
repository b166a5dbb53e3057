"""What the real controllers, scheduler and admission make of a release."""

from collections.abc import Callable
from typing import Any

import pytest

from todo_embedded.controlplane.pod_faults import Crash
from todo_embedded.errors import ApiError

from .room import Room


def test_deployment_rolls_to_a_new_version(room: Room) -> None:
    """It becomes available, and a change of its template replaces its pods."""
    made = room.deploy("web", replicas=3)
    room.until(lambda: room.is_available(made))
    old = {pod["metadata"]["uid"] for pod in room.pods()}
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop/web:2"}]}}}}
    room.api.merge(f"apis/apps/v1/namespaces/{room.name}/deployments/web", image)

    def is_renewed() -> bool:
        pods = room.pods()
        return len(pods) == 3 and not old & {pod["metadata"]["uid"] for pod in pods}

    room.until(lambda: is_renewed() and room.is_available(made))
    assert {pod["spec"]["containers"][0]["image"] for pod in room.pods()} == {"shop/web:2"}


def make_job(room: Room, *, restart_policy: str = "Never") -> dict[str, Any]:
    """A Job that may not fail once."""
    pod = {"restartPolicy": restart_policy, "containers": [{"name": "migrate", "image": "shop/migrate:1"}]}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return room.make("Job", "migrate", api_version="batch/v1", spec=spec)


def has_condition(room: Room, job: dict[str, Any], kind: str) -> bool:
    """Tell whether a Job has come to that."""
    conditions = room.read(job)["status"].get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def test_job_completes(room: Room) -> None:
    """Its pod runs, ends well, and the Job is complete."""
    job = make_job(room)
    room.until(lambda: has_condition(room, job, "Complete"))
    assert [pod["status"]["phase"] for pod in room.pods()] == ["Succeeded"]


def test_job_of_a_crashing_container_fails(room: Room) -> None:
    """The pod of a migration that goes wrong fails with the exit code, and so does its Job."""
    room.plane.fates.set_faults(Crash(namespace=room.name, workload="migrate", exit_code=2))
    job = make_job(room)
    room.until(lambda: has_condition(room, job, "Failed"))
    assert room.pods()[0]["status"]["phase"] == "Failed"
    assert room.state()["terminated"]["exitCode"] == 2


def test_pod_that_fits_nowhere_waits_with_the_reason(room: Room) -> None:
    """What the provider runs takes its part of each machine: of 1900m some 1400m are left."""
    room.deploy("web", requests={"cpu": "1500m"})

    def message() -> str | None:
        conditions = [one for pod in room.pods() for one in pod["status"].get("conditions", [])]
        return next((one["message"] for one in conditions if one.get("reason") == "Unschedulable"), None)

    said = room.until(message)
    assert said.startswith("0/3 nodes are available: 3 Insufficient cpu.")
    assert room.pods()[0]["status"]["phase"] == "Pending"


def test_quota_refuses_what_exceeds_it(room: Room) -> None:
    """The second replica is not made, and the event says which quota, and by how much."""
    room.make("ResourceQuota", "environment", spec={"hard": {"requests.cpu": "500m"}})
    room.until(lambda: "used" in room.api.read(quota(room))["status"])
    room.deploy("web", replicas=2, requests={"cpu": "300m"})
    said = room.until(lambda: room.told("FailedCreate"))[0]
    assert "exceeded quota: environment, requested: requests.cpu=300m, used: requests.cpu=300m" in said
    assert len(room.pods()) == 1


def quota(room: Room) -> str:
    """Path of the quota."""
    return f"api/v1/namespaces/{room.name}/resourcequotas/environment"


def test_limit_range_gives_defaults(room: Room) -> None:
    """A container that says nothing about its size is given one."""
    limits = [{"type": "Container", "defaultRequest": {"cpu": "10m"}, "default": {"memory": "128Mi"}}]
    room.make("LimitRange", "defaults", spec={"limits": limits})
    pod = room.make("Pod", "bare", spec={"containers": [{"name": "app", "image": "shop/app:1"}]})
    resources = pod["spec"]["containers"][0]["resources"]
    assert (resources["requests"]["cpu"], resources["limits"]["memory"]) == ("10m", "128Mi")


def test_pod_security_refuses_what_its_standard_forbids(rooms: Callable[..., Room]) -> None:
    """A namespace that enforces `restricted` takes no ordinary pod."""
    room = rooms(**{"pod-security.kubernetes.io/enforce": "restricted"})
    with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest": allowPrivilegeEscalation'):
        room.make("Pod", "bare", spec={"containers": [{"name": "app", "image": "shop/app:1"}]})


def test_urgent_pod_takes_the_place_of_another(room: Room) -> None:
    """The scheduler evicts a pod of lower priority, as when a machine is lost."""
    for name, value in (("urgent", 1000), ("patient", 10)):
        meta = {"name": f"{room.name}-{name}"}
        manifest = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": meta,
            "value": value,
        }
        room.api.create(manifest)

    def deploy(name: str) -> dict[str, Any]:
        here = {
            "nodeSelector": {"kubernetes.io/hostname": "pool-1"},
            "priorityClassName": f"{room.name}-{name}",
        }
        return room.deploy(name, requests={"cpu": "900m"}, pod=here)

    patient = deploy("patient")
    room.until(lambda: room.is_available(patient))
    urgent = deploy("urgent")
    room.until(lambda: room.is_available(urgent))
    assert not room.is_available(patient)
    assert room.told("Preempted")
