"""How pods fare, as a release sees it: states, words and events of a kubelet."""

from collections.abc import Iterator

import pytest

from todo_embedded.controlplane.pod_faults import Crash, NeverReady
from todo_embedded.controlplane.sidecar_injector import IMAGE

from .conftest import REFUSAL, Registry
from .room import Room


def test_missing_secret_is_said_and_recovers(room: Room) -> None:
    """A container waits, in the kubelet's words, for the Secret and then for its key; with both it starts."""
    made = room.deploy("web", env=[env_of("PASSWORD", secretKeyRef={"name": "login", "key": "password"})])
    waiting = room.until(lambda: room.state().get("waiting"))
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "login" not found'}
    room.until(lambda: room.told("Failed") == ['Error: secret "login" not found'])

    room.make("Secret", "login", stringData={"user": "me"})
    said = f"couldn't find key password in Secret {room.name}/login"
    room.until(lambda: room.state().get("waiting", {}).get("message") == said)

    room.api.merge(f"api/v1/namespaces/{room.name}/secrets/login", {"stringData": {"password": "x"}})
    room.until(lambda: room.is_available(made))


def test_missing_config_map_of_all_variables_is_said(room: Room) -> None:
    """`envFrom` needs its ConfigMap unless it is optional."""
    sources = [{"configMapRef": {"name": "extras", "optional": True}}, {"configMapRef": {"name": "settings"}}]
    room.deploy("web", envFrom=sources)
    waiting = room.until(lambda: room.state().get("waiting"))
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}


def test_missing_volume_keeps_the_container_from_being_made(room: Room) -> None:
    """A volume's Secret is missed in an event only; the container is about to be made until it is there."""
    pod = {"volumes": [{"name": "keys", "secret": {"secretName": "tls"}}]}
    made = room.deploy("web", pod=pod)
    room.until(lambda: room.told("FailedMount"))
    assert room.told("FailedMount") == ['MountVolume.SetUp failed for volume "keys" : secret "tls" not found']
    assert room.until(room.state) == {"waiting": {"reason": "ContainerCreating"}}
    room.make("Secret", "tls")
    room.until(lambda: room.is_available(made))


def test_missing_pull_secret_is_warned_of(room: Room) -> None:
    """Pulling is tried without it, after a warning."""
    made = room.deploy("web", pod={"imagePullSecrets": [{"name": "registry"}]})
    room.until(lambda: room.is_available(made))
    assert room.until(lambda: room.told("FailedToRetrieveImagePullSecret")) == [
        "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed."
    ]


@pytest.fixture
def incomplete(registry: Registry) -> Iterator[Registry]:
    """The registry, which lacks an image again after the test."""
    yield registry
    registry.is_complete = False


def test_refused_image_is_backed_off_and_recovers(room: Room, incomplete: Registry) -> None:
    """The registry's refusal is told, and shown within the back-off; the image is asked for again."""
    made = room.deploy("web", image="shop/refused:1")
    backed_off = {
        "reason": "ImagePullBackOff",
        "message": f'Back-off pulling image "shop/refused:1": ErrImagePull: {REFUSAL}',
    }
    room.until(lambda: room.state().get("waiting") == backed_off)
    refused = [
        f'Failed to pull image "shop/refused:1": {REFUSAL}',
        "Error: ErrImagePull",
        "Error: ImagePullBackOff",
    ]
    room.until(lambda: sorted(room.told("Failed")) == sorted(refused))
    incomplete.is_complete = True
    room.until(lambda: room.is_available(made))


def test_registry_is_asked_for_images_of_a_release_only(room: Room, registry: Registry) -> None:
    """Every container's image is asked for, the sidecar's too, but not what the provider itself runs."""
    made = room.deploy("asking", annotations={"dapr.io/enabled": "true"})
    room.until(lambda: room.is_available(made))
    assert {"shop/asking:1", IMAGE} <= set(registry.asked)
    assert [image for image in registry.asked if image.startswith("simulated/")] == []


def test_crashing_container_is_restarted_ever_later(room: Room) -> None:
    """It ends with its exit code, is backed off and started again, until it is cured."""
    room.plane.fates.set_faults(Crash(namespace=room.name, workload="web", exit_code=3))
    made = room.deploy("web")
    status = room.until(lambda: crashed(room, times=2))
    delay = {2: "40s", 3: "1m20s", 4: "2m40s"}[status["restartCount"]]
    assert status["lastState"]["terminated"] | {"startedAt": "", "finishedAt": ""} == {
        "exitCode": 3,
        "reason": "Error",
        "startedAt": "",
        "finishedAt": "",
    }
    meta = room.pods()[0]["metadata"]
    pod = f"{meta['name']}_{room.name}({meta['uid']})"
    assert status["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {delay} restarting failed container=web pod={pod}",
    }
    assert room.until(lambda: room.told("BackOff")) == [
        f"Back-off restarting failed container web in pod {pod}"
    ]
    room.plane.fates.set_faults()
    room.until(lambda: room.is_available(made))
    assert room.pods()[0]["status"]["containerStatuses"][0]["restartCount"] >= 2


def test_container_that_never_gets_ready_runs_on(room: Room) -> None:
    """It runs, its probe's failure is told, and the Deployment is not available until it is cured."""
    room.plane.fates.set_faults(NeverReady(labels={"app": "web"}, message="Readiness probe failed: 503"))
    made = room.deploy("web")
    assert room.until(lambda: room.told("Unhealthy")) == ["Readiness probe failed: 503"]
    status = room.pods()[0]["status"]
    assert (status["phase"], status["containerStatuses"][0]["ready"]) == ("Running", False)
    assert condition(status, "Ready") == (
        "False",
        "ContainersNotReady",
        "containers with unready status: [web]",
    )
    room.plane.fates.set_faults()
    room.until(lambda: room.is_available(made))


def test_fault_befalls_pods_that_run_already(room: Room) -> None:
    """A fault set later takes a running pod down, and no pod of another workload."""
    web, worker = room.deploy("web"), room.deploy("worker")
    room.until(lambda: room.is_available(web) and room.is_available(worker))
    room.plane.fates.set_faults(NeverReady(namespace=room.name, workload="web"))
    room.until(lambda: not room.is_available(web))
    assert room.is_available(worker)


def test_running_container_outlives_its_secret(room: Room) -> None:
    """What was needed to start is not looked for again."""
    room.make("Secret", "login", stringData={"password": "x"})
    made = room.deploy("web", env=[env_of("PASSWORD", secretKeyRef={"name": "login", "key": "password"})])
    room.until(lambda: room.is_available(made))
    room.api.delete(f"api/v1/namespaces/{room.name}/secrets/login")
    room.plane.fates.set_faults(NeverReady(workload="another"))  # has every pod decided about anew
    later = room.deploy("later", image="shop/later:1")
    room.until(lambda: room.is_available(later))
    assert room.is_available(made)


def test_init_container_in_trouble_keeps_the_others_from_starting(room: Room) -> None:
    """Containers wait for initialisation while an init container cannot be configured."""
    needs = env_of("URL", configMapKeyRef={"name": "settings", "key": "url"})
    first = [
        {"name": "prepare", "image": "shop/prepare:1"},
        {"name": "migrate", "image": "shop/m:1", "env": [needs]},
    ]
    room.deploy("web", pod={"initContainers": first})
    status = room.until(
        lambda: next(
            (
                one["status"]
                for one in room.pods()
                if "phase" in one["status"] and "initContainerStatuses" in one["status"]
            ),
            None,
        )
    )
    states = [one["state"] for one in status["initContainerStatuses"] + status["containerStatuses"]]
    assert states[0]["terminated"]["reason"] == "Completed"
    assert states[1]["waiting"]["message"] == 'configmap "settings" not found'
    assert states[2] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(status, "Initialized")[0] == "False"


def test_native_sidecar_runs_beside_the_container(room: Room) -> None:
    """An init container that is to be restarted always keeps nobody from starting, and goes on running."""
    sidecar = {"name": "proxy", "image": "shop/proxy:1", "restartPolicy": "Always"}
    made = room.deploy("web", pod={"initContainers": [sidecar]})
    room.until(lambda: room.is_available(made))
    (status,) = room.pods()[0]["status"]["initContainerStatuses"]
    assert (status["ready"], list(status["state"])) == (True, ["running"])


def test_start_is_told_as_a_kubelet_does(room: Room) -> None:
    """A pod that starts leaves the three usual events."""
    made = room.deploy("web")
    room.until(lambda: room.is_available(made))
    room.until(lambda: room.told("Started"))
    assert [room.told(reason) for reason in ("Pulled", "Created", "Started")] == [
        ['Container image "shop/web:1" already present on machine'],
        ["Created container: web"],
        ["Started container web"],
    ]


def test_deleted_pod_goes_at_once(room: Room) -> None:
    """Whatever grace it was given."""
    made = room.deploy("web", pod={"terminationGracePeriodSeconds": 600})
    room.until(lambda: room.is_available(made))
    old = room.pods()[0]["metadata"]["name"]
    room.api.delete(f"api/v1/namespaces/{room.name}/pods/{old}")
    room.until(lambda: [one["metadata"]["name"] for one in room.pods()] not in ([old], []), seconds=10)


def env_of(name: str, **source: dict[str, str]) -> dict[str, object]:
    """An environment variable that comes from elsewhere."""
    return {"name": name, "valueFrom": source}


def crashed(room: Room, *, times: int) -> dict | None:
    """The status of the only container when it waits after that many restarts or more."""
    statuses = room.pods()[0]["status"].get("containerStatuses", []) if room.pods() else []
    return next((one for one in statuses if one["restartCount"] >= times and "waiting" in one["state"]), None)


def condition(status: dict, kind: str) -> tuple[str, str | None, str | None]:
    """A condition's status, reason and message."""
    found = next(one for one in status["conditions"] if one["type"] == kind)
    return found["status"], found.get("reason"), found.get("message")
