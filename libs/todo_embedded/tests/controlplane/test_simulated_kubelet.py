"""What a release sees of simulated pods: the states, messages and events of a kubelet."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from todo_embedded.controlplane.pod_annotations import BehaviourKind, PodBehaviour
from todo_embedded.controlplane.pod_faults import Crash, NeverReady
from todo_embedded.controlplane.sidecar_injector import IMAGE
from todo_embedded.controlplane.simulated_kubelet import SimulatedKubelet, every_image_exists

from .conftest import REFUSAL, RegistryDouble
from .namespaces import Namespace


def test_missing_secret_is_reported_until_it_exists(namespace: Namespace) -> None:
    """A container waits, with the kubelet's message, for the Secret, then for its key, and then starts."""
    deployment = namespace.deploy(
        "web", env=[env_of("PASSWORD", secretKeyRef={"name": "login", "key": "password"})]
    )
    waiting = namespace.wait_until(lambda: namespace.state().get("waiting"))
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "login" not found'}
    namespace.wait_until(lambda: namespace.event_messages("Failed") == ['Error: secret "login" not found'])

    namespace.create("Secret", "login", stringData={"user": "me"})
    message = f"couldn't find key password in Secret {namespace.name}/login"
    namespace.wait_until(lambda: namespace.state().get("waiting", {}).get("message") == message)

    namespace.api.merge(
        f"api/v1/namespaces/{namespace.name}/secrets/login", {"stringData": {"password": "x"}}
    )
    namespace.wait_until(lambda: namespace.is_available(deployment))


def test_missing_config_map_of_env_from_is_reported(namespace: Namespace) -> None:
    """A container waits for the ConfigMap of `envFrom`, unless it is optional."""
    sources = [{"configMapRef": {"name": "extras", "optional": True}}, {"configMapRef": {"name": "settings"}}]
    namespace.deploy("web", envFrom=sources)
    waiting = namespace.wait_until(lambda: namespace.state().get("waiting"))
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}


def test_missing_volume_keeps_the_container_from_being_created(namespace: Namespace) -> None:
    """A missing Secret of a volume is reported in an event, and the container stays in ContainerCreating."""
    pod = {"volumes": [{"name": "keys", "secret": {"secretName": "tls"}}]}
    deployment = namespace.deploy("web", pod=pod)
    namespace.wait_until(lambda: namespace.event_messages("FailedMount"))
    assert namespace.event_messages("FailedMount") == [
        'MountVolume.SetUp failed for volume "keys" : secret "tls" not found'
    ]
    assert namespace.wait_until(namespace.state) == {"waiting": {"reason": "ContainerCreating"}}
    namespace.create("Secret", "tls")
    namespace.wait_until(lambda: namespace.is_available(deployment))


def test_missing_pull_secret_is_a_warning(namespace: Namespace) -> None:
    """A pod with a missing pull secret starts, after a warning event."""
    deployment = namespace.deploy("web", pod={"imagePullSecrets": [{"name": "registry"}]})
    namespace.wait_until(lambda: namespace.is_available(deployment))
    assert namespace.wait_until(lambda: namespace.event_messages("FailedToRetrieveImagePullSecret")) == [
        "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed."
    ]


@pytest.fixture
def incomplete(registry: RegistryDouble) -> Iterator[RegistryDouble]:
    """Yields the registry, and lets it lack an image again after the test."""
    yield registry
    registry.is_complete = False


def test_refused_image_is_backed_off_and_recovers(namespace: Namespace, incomplete: RegistryDouble) -> None:
    """The registry's refusal is in state and events, and the pod starts once the image exists."""
    deployment = namespace.deploy("web", image="shop/refused:1")
    backed_off = {
        "reason": "ImagePullBackOff",
        "message": f'Back-off pulling image "shop/refused:1": ErrImagePull: {REFUSAL}',
    }
    namespace.wait_until(lambda: namespace.state().get("waiting") == backed_off)
    refused = [
        f'Failed to pull image "shop/refused:1": {REFUSAL}',
        "Error: ErrImagePull",
        "Error: ImagePullBackOff",
    ]
    namespace.wait_until(lambda: sorted(namespace.event_messages("Failed")) == sorted(refused))
    incomplete.is_complete = True
    namespace.wait_until(lambda: namespace.is_available(deployment))


def test_registry_is_asked_only_for_images_outside_kube_system(
    namespace: Namespace, registry: RegistryDouble
) -> None:
    """Every container's image is checked, also the sidecar's, but no image of kube-system."""
    deployment = namespace.deploy("asking", annotations={"dapr.io/enabled": "true"})
    namespace.wait_until(lambda: namespace.is_available(deployment))
    assert {"shop/asking:1", IMAGE} <= set(registry.asked)
    assert [image for image in registry.asked if image.startswith("simulated/")] == []


def test_crashing_container_is_restarted_with_back_off(namespace: Namespace) -> None:
    """A crashing container has its exit code and a growing back-off, and recovers without the fault."""
    namespace.plane.kubelet.set_faults(Crash(namespace=namespace.name, workload="web", exit_code=3))
    deployment = namespace.deploy("web")
    status = namespace.wait_until(lambda: crashed(namespace, times=2))
    delay = {2: "40s", 3: "1m20s", 4: "2m40s"}[status["restartCount"]]
    assert status["lastState"]["terminated"] | {"startedAt": "", "finishedAt": ""} == {
        "exitCode": 3,
        "reason": "Error",
        "startedAt": "",
        "finishedAt": "",
    }
    meta = namespace.pods()[0]["metadata"]
    pod = f"{meta['name']}_{namespace.name}({meta['uid']})"
    assert status["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {delay} restarting failed container=web pod={pod}",
    }
    assert namespace.wait_until(lambda: namespace.event_messages("BackOff")) == [
        f"Back-off restarting failed container web in pod {pod}"
    ]
    namespace.plane.kubelet.set_faults()
    namespace.wait_until(lambda: namespace.is_available(deployment))
    assert namespace.pods()[0]["status"]["containerStatuses"][0]["restartCount"] >= 2


def test_container_that_never_gets_ready_keeps_running(namespace: Namespace) -> None:
    """The container runs with failing probes, and its Deployment is available only without the fault."""
    namespace.plane.kubelet.set_faults(
        NeverReady(labels={"app": "web"}, message="Readiness probe failed: 503")
    )
    deployment = namespace.deploy("web")
    assert namespace.wait_until(lambda: namespace.event_messages("Unhealthy")) == [
        "Readiness probe failed: 503"
    ]
    status = namespace.pods()[0]["status"]
    assert (status["phase"], status["containerStatuses"][0]["ready"]) == ("Running", False)
    assert condition(status, "Ready") == (
        "False",
        "ContainersNotReady",
        "containers with unready status: [web]",
    )
    namespace.plane.kubelet.set_faults()
    namespace.wait_until(lambda: namespace.is_available(deployment))


def test_fault_affects_running_pods(namespace: Namespace) -> None:
    """A new fault makes a running pod unready, and no pod of another workload."""
    web, worker = namespace.deploy("web"), namespace.deploy("worker")
    namespace.wait_until(lambda: namespace.is_available(web) and namespace.is_available(worker))
    namespace.plane.kubelet.set_faults(NeverReady(namespace=namespace.name, workload="web"))
    namespace.wait_until(lambda: not namespace.is_available(web))
    assert namespace.is_available(worker)


def test_running_container_outlives_its_secret(namespace: Namespace) -> None:
    """A Secret that is deleted after the start does not stop the container."""
    namespace.create("Secret", "login", stringData={"password": "x"})
    deployment = namespace.deploy(
        "web", env=[env_of("PASSWORD", secretKeyRef={"name": "login", "key": "password"})]
    )
    namespace.wait_until(lambda: namespace.is_available(deployment))
    namespace.api.delete(f"api/v1/namespaces/{namespace.name}/secrets/login")
    namespace.plane.kubelet.set_faults(NeverReady(workload="another"))  # makes every worker decide again
    later = namespace.deploy("later", image="shop/later:1")
    namespace.wait_until(lambda: namespace.is_available(later))
    assert namespace.is_available(deployment)


def test_failing_init_container_keeps_the_others_from_starting(namespace: Namespace) -> None:
    """Containers stay in PodInitializing while an init container cannot be configured."""
    needs = env_of("URL", configMapKeyRef={"name": "settings", "key": "url"})
    first = [
        {"name": "prepare", "image": "shop/prepare:1"},
        {"name": "migrate", "image": "shop/m:1", "env": [needs]},
    ]
    namespace.deploy("web", pod={"initContainers": first})
    status = namespace.wait_until(
        lambda: next(
            (
                pod["status"]
                for pod in namespace.pods()
                if "phase" in pod["status"] and "initContainerStatuses" in pod["status"]
            ),
            None,
        )
    )
    states = [
        container["state"] for container in status["initContainerStatuses"] + status["containerStatuses"]
    ]
    assert states[0]["terminated"]["reason"] == "Completed"
    assert states[1]["waiting"]["message"] == 'configmap "settings" not found'
    assert states[2] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(status, "Initialized")[0] == "False"


def test_native_sidecar_runs_beside_the_container(namespace: Namespace) -> None:
    """An init container with restartPolicy Always runs on beside the pod's container."""
    sidecar = {"name": "proxy", "image": "shop/proxy:1", "restartPolicy": "Always"}
    deployment = namespace.deploy("web", pod={"initContainers": [sidecar]})
    namespace.wait_until(lambda: namespace.is_available(deployment))
    (status,) = namespace.pods()[0]["status"]["initContainerStatuses"]
    assert (status["ready"], list(status["state"])) == (True, ["running"])


def test_start_has_the_events_of_a_kubelet(namespace: Namespace) -> None:
    """A pod that starts has the events Pulled, Created and Started."""
    deployment = namespace.deploy("web")
    namespace.wait_until(lambda: namespace.is_available(deployment))
    namespace.wait_until(lambda: namespace.event_messages("Started"))
    assert [namespace.event_messages(reason) for reason in ("Pulled", "Created", "Started")] == [
        ['Container image "shop/web:1" already present on machine'],
        ["Created container: web"],
        ["Started container web"],
    ]


def test_deleted_pod_is_gone_at_once(namespace: Namespace) -> None:
    """A deleted pod disappears without waiting for its grace period."""
    deployment = namespace.deploy("web", pod={"terminationGracePeriodSeconds": 600})
    namespace.wait_until(lambda: namespace.is_available(deployment))
    old = namespace.pods()[0]["metadata"]["name"]
    namespace.api.delete(f"api/v1/namespaces/{namespace.name}/pods/{old}")
    namespace.wait_until(
        lambda: [pod["metadata"]["name"] for pod in namespace.pods()] not in ([old], []), seconds=10
    )


@pytest.mark.parametrize(
    ("uid_now", "methods"),
    [("1", ["PATCH", "GET", "PATCH"]), ("2", ["PATCH", "GET"]), ("", ["PATCH", "GET"])],
)
async def test_behaviour_is_written_again_after_a_conflict(
    monkeypatch: pytest.MonkeyPatch, uid_now: str, methods: list[str]
) -> None:
    """A pod that others changed at the same time is patched again; one that is gone or replaced is not."""
    sent: list[str] = []

    async def answer(method: str, path: str, **_: Any) -> httpx2.Response:
        sent.append(method)
        if method == "GET":
            body = {"metadata": {"uid": uid_now}}
            return httpx2.Response(200 if uid_now else 404, json=body)
        return httpx2.Response(409 if sent.count("PATCH") == 1 else 200, json={})

    api: Any = None
    kubelet = SimulatedKubelet(api, image_check=every_image_exists, retry_seconds=1)
    monkeypatch.setattr(kubelet, "_request", answer)
    pod = {"metadata": {"namespace": "shop", "name": "web", "uid": "1"}}
    await kubelet._annotate(pod, PodBehaviour(BehaviourKind.RUNNING))
    assert sent == methods


def env_of(name: str, **source: dict[str, str]) -> dict[str, object]:
    """Returns an environment variable whose value comes from another object."""
    return {"name": name, "valueFrom": source}


def crashed(namespace: Namespace, *, times: int) -> dict | None:
    """Returns the status of the only container if it waits after that many restarts or more."""
    statuses = namespace.pods()[0]["status"].get("containerStatuses", []) if namespace.pods() else []
    return next(
        (status for status in statuses if status["restartCount"] >= times and "waiting" in status["state"]),
        None,
    )


def condition(status: dict, kind: str) -> tuple[str, str | None, str | None]:
    """Returns a condition's status, reason and message."""
    entry = next(entry for entry in status["conditions"] if entry["type"] == kind)
    return entry["status"], entry.get("reason"), entry.get("message")
