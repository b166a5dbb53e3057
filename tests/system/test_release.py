"""The main job on a real cluster: a version goes from a checkout to staging and production."""

import json
import re
import subprocess

import pytest
from kubernetes import client

from .conftest import HOSTS, Clone
from .standin import Standin

RELEASES = {"staging": "todo-app-staging", "production": "todo-app"}
SERVICES = ("frontend", "backend", "mcp", "notification", "sse-gateway")


def images(environment: str) -> dict[str, str]:
    """Service id -> image reference of its Deployment."""
    found = client.AppsV1Api().list_namespaced_deployment(environment).items
    prefix = f"{RELEASES[environment]}-"
    return {
        item.metadata.name.removeprefix(prefix): item.spec.template.spec.containers[0].image for item in found
    }


def pods(environment: str) -> dict[str, list[client.V1Pod]]:
    """Service id -> its running pods, newest last."""
    running: dict[str, list[client.V1Pod]] = {service: [] for service in SERVICES}
    for pod in (
        client.CoreV1Api().list_namespaced_pod(environment, field_selector="status.phase=Running").items
    ):
        service = re.sub(r"-[^-]+-[^-]+$", "", pod.metadata.name).removeprefix(f"{RELEASES[environment]}-")
        if service in running and pod.metadata.deletion_timestamp is None:
            running[service].append(pod)
    return {
        service: sorted(each, key=lambda pod: pod.metadata.creation_timestamp)
        for service, each in running.items()
    }


def revisions(environment: str) -> list[dict[str, str]]:
    """Helm's history of an environment's release, oldest first."""
    printed = subprocess.run(
        ["helm", "history", RELEASES[environment], "--namespace", environment, "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return list(json.loads(printed))


@pytest.fixture(scope="module")
def first(clone: Clone) -> str:
    """Release 0.1.0 to both environments; what it printed."""
    return clone.inv("release", "--version=0.1.0", "--yes").stdout


def test_release_runs_the_same_digests_in_both_environments(first: str) -> None:
    """Every service runs in staging and production from one image, named by digest."""
    staging, production = images("staging"), images("production")
    assert sorted(staging) == sorted(SERVICES)
    assert staging == production
    assert all(re.fullmatch(r".+@sha256:[0-9a-f]{64}", reference) for reference in staging.values())


def test_release_is_recorded_in_git(first: str, clone: Clone) -> None:
    """The remote has the release commit, in which the chart has the version, under an annotated tag."""
    assert clone.git("ls-remote", "--tags", "origin", "v0.1.0").endswith("refs/tags/v0.1.0")
    assert clone.git("cat-file", "-t", "v0.1.0") == "tag"
    assert "version: 0.1.0" in clone.git("show", "v0.1.0:chart/Chart.yaml").splitlines()
    assert clone.git("rev-parse", "origin/main") == clone.git("rev-parse", "v0.1.0^{commit}")


@pytest.mark.parametrize("environment", HOSTS)
@pytest.mark.parametrize("service", ["backend", "mcp", "notification", "sse-gateway"])
def test_every_pod_that_speaks_to_the_bus_has_a_ready_sidecar(
    first: str, environment: str, service: str
) -> None:
    """Dapr's injector ignores failures, so an annotated pod without daprd would go unnoticed."""
    containers = {
        each.name: each.ready for pod in pods(environment)[service] for each in pod.status.container_statuses
    }
    assert containers.get("daprd") is True


def test_environments_have_topics_of_their_own(first: str, cluster: Standin) -> None:
    """Staging writes to prefixed topics on the broker that both share, over SASL and TLS."""
    listed = subprocess.run(
        [cluster.program, "kafka", "TopicCommand", "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"task-events", "notifications", "staging-task-events", "staging-notifications"} <= set(listed)


@pytest.mark.parametrize("environment", HOSTS)
def test_preflight_raises_no_false_alarm(first: str, clone: Clone, environment: str) -> None:
    """What runs and is well gives no error and no warning."""
    printed = clone.inv("preflight", f"--env={environment}", "--json").stdout
    (found,) = [told for told in map(json.loads, printed.splitlines()) if told["event"] == "preflight"]
    assert [finding for finding in found["findings"] if finding["severity"] != "note"] == []


def test_finished_release_again_changes_nothing(first: str, clone: Clone) -> None:
    """The same command again writes no revision, no commit and no tag, and says so."""
    before = revisions("staging"), revisions("production"), clone.git("rev-parse", "HEAD")
    printed = clone.inv("release", "--version=0.1.0", "--yes").stdout
    assert "nothing to do" in printed.lower()
    assert (revisions("staging"), revisions("production"), clone.git("rev-parse", "HEAD")) == before


def test_release_with_one_changed_service_rebuilds_and_rolls_only_that(first: str, clone: Clone) -> None:
    """0.1.1 changes notification: its image is new, the four others keep image and pods."""
    images_before, pods_before = images("production"), pods("production")
    module = clone.path / "services/notification/src/todo_notification/__init__.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nCHANGED_FOR_0_1_1 = True\n", encoding="utf-8")
    clone.git("commit", "--quiet", "--all", "--message=notification: Change it.")
    clone.inv("release", "--version=0.1.1", "--yes")
    images_after, pods_after = images("production"), pods("production")
    assert {name for name in SERVICES if images_after[name] != images_before[name]} == {"notification"}
    kept = [name for name in SERVICES if name != "notification"]
    names_before = {name: [pod.metadata.name for pod in pods_before[name]] for name in kept}
    assert {name: [pod.metadata.name for pod in pods_after[name]] for name in kept} == names_before
