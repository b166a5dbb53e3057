"""What the real controllers, scheduler and admission do with the objects of a release."""

from collections.abc import Callable
from typing import Any

import pytest

from todo_embedded.controlplane.pod_faults import Crash
from todo_embedded.errors import ApiError

from .namespaces import Namespace


def test_deployment_rolls_to_a_new_version(namespace: Namespace) -> None:
    """A Deployment becomes available, and a change of its template replaces its pods."""
    deployment = namespace.deploy("web", replicas=3)
    namespace.wait_until(lambda: namespace.is_available(deployment))
    old = {pod["metadata"]["uid"] for pod in namespace.pods()}
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop/web:2"}]}}}}
    namespace.api.merge(f"apis/apps/v1/namespaces/{namespace.name}/deployments/web", image)

    def is_renewed() -> bool:
        pods = namespace.pods()
        return len(pods) == 3 and not old & {pod["metadata"]["uid"] for pod in pods}

    namespace.wait_until(lambda: is_renewed() and namespace.is_available(deployment))
    assert {pod["spec"]["containers"][0]["image"] for pod in namespace.pods()} == {"shop/web:2"}


def make_job(namespace: Namespace, *, restart_policy: str = "Never") -> dict[str, Any]:
    """Creates a Job that has one attempt."""
    pod = {"restartPolicy": restart_policy, "containers": [{"name": "migrate", "image": "shop/migrate:1"}]}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return namespace.create("Job", "migrate", api_version="batch/v1", spec=spec)


def has_condition(namespace: Namespace, job: dict[str, Any], kind: str) -> bool:
    """Returns whether a Job has a condition."""
    conditions = namespace.read(job)["status"].get("conditions", [])
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def test_job_completes(namespace: Namespace) -> None:
    """The pod of a Job succeeds, and the Job is complete."""
    job = make_job(namespace)
    namespace.wait_until(lambda: has_condition(namespace, job, "Complete"))
    assert [pod["status"]["phase"] for pod in namespace.pods()] == ["Succeeded"]


def test_job_of_a_crashing_container_fails(namespace: Namespace) -> None:
    """A crashing pod of a Job fails with its exit code, and the Job fails."""
    namespace.plane.kubelet.set_faults(Crash(namespace=namespace.name, workload="migrate", exit_code=2))
    job = make_job(namespace)
    namespace.wait_until(lambda: has_condition(namespace, job, "Failed"))
    assert namespace.pods()[0]["status"]["phase"] == "Failed"
    assert namespace.state()["terminated"]["exitCode"] == 2


def test_pod_that_fits_on_no_node_is_pending_with_the_reason(namespace: Namespace) -> None:
    """A pod is unschedulable when it exceeds what other pods leave of each node: 1400m of 1900m."""
    namespace.deploy("web", requests={"cpu": "1500m"})

    def message() -> str | None:
        conditions = [
            condition for pod in namespace.pods() for condition in pod["status"].get("conditions", [])
        ]
        messages = (
            condition["message"] for condition in conditions if condition.get("reason") == "Unschedulable"
        )
        return next(messages, None)

    text = namespace.wait_until(message)
    assert text.startswith("0/3 nodes are available: 3 Insufficient cpu.")
    assert namespace.pods()[0]["status"]["phase"] == "Pending"


def test_quota_refuses_what_exceeds_it(namespace: Namespace) -> None:
    """The second replica is not created, and an event names the quota and the excess."""
    namespace.create("ResourceQuota", "environment", spec={"hard": {"requests.cpu": "500m"}})
    namespace.wait_until(lambda: "used" in namespace.api.read(quota(namespace))["status"])
    namespace.deploy("web", replicas=2, requests={"cpu": "300m"})
    text = namespace.wait_until(lambda: namespace.event_messages("FailedCreate"))[0]
    assert "exceeded quota: environment, requested: requests.cpu=300m, used: requests.cpu=300m" in text
    assert len(namespace.pods()) == 1


def quota(namespace: Namespace) -> str:
    """Returns the path of the quota."""
    return f"api/v1/namespaces/{namespace.name}/resourcequotas/environment"


def test_limit_range_gives_defaults(namespace: Namespace) -> None:
    """A container without requests and limits gets those of the LimitRange."""
    limits = [{"type": "Container", "defaultRequest": {"cpu": "10m"}, "default": {"memory": "128Mi"}}]
    namespace.create("LimitRange", "defaults", spec={"limits": limits})
    pod = namespace.create("Pod", "bare", spec={"containers": [{"name": "app", "image": "shop/app:1"}]})
    resources = pod["spec"]["containers"][0]["resources"]
    assert (resources["requests"]["cpu"], resources["limits"]["memory"]) == ("10m", "128Mi")


def test_pod_security_refuses_what_its_standard_forbids(make_namespace: Callable[..., Namespace]) -> None:
    """A namespace that enforces `restricted` refuses a pod without a security context."""
    namespace = make_namespace(**{"pod-security.kubernetes.io/enforce": "restricted"})
    with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest": allowPrivilegeEscalation'):
        namespace.create("Pod", "bare", spec={"containers": [{"name": "app", "image": "shop/app:1"}]})


def test_pod_of_higher_priority_preempts_another(namespace: Namespace) -> None:
    """The scheduler evicts a pod of lower priority when no node has enough left."""
    for name, value in (("urgent", 1000), ("patient", 10)):
        meta = {"name": f"{namespace.name}-{name}"}
        manifest = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": meta,
            "value": value,
        }
        namespace.api.create(manifest)

    def deploy(name: str) -> dict[str, Any]:
        here = {
            "nodeSelector": {"kubernetes.io/hostname": "pool-1"},
            "priorityClassName": f"{namespace.name}-{name}",
        }
        return namespace.deploy(name, requests={"cpu": "900m"}, pod=here)

    patient = deploy("patient")
    namespace.wait_until(lambda: namespace.is_available(patient))
    urgent = deploy("urgent")
    namespace.wait_until(lambda: namespace.is_available(urgent))
    assert not namespace.is_available(patient)
    assert namespace.event_messages("Preempted")
