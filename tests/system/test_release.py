"""Releases of this application to a real cluster: from a clone to staging and production."""

import json
import re
import subprocess
from collections.abc import Callable

import pytest
from kubernetes import client

from .conftest import HOSTS, RepositoryClone
from .running_cluster import RunningCluster

RELEASES = {"staging": "todo-app-staging", "production": "todo-app"}
SERVICES = ("frontend", "backend", "mcp", "notification", "sse-gateway")


def images(environment: str) -> dict[str, str]:
    """Returns the image of each service's Deployment."""
    deployments = client.AppsV1Api().list_namespaced_deployment(environment).items
    prefix = f"{RELEASES[environment]}-"
    return {
        deployment.metadata.name.removeprefix(prefix): deployment.spec.template.spec.containers[0].image
        for deployment in deployments
    }


def pods(environment: str) -> dict[str, list[client.V1Pod]]:
    """Returns the running pods of each service, newest last."""
    running: dict[str, list[client.V1Pod]] = {service: [] for service in SERVICES}
    selector = "status.phase=Running"
    for pod in client.CoreV1Api().list_namespaced_pod(environment, field_selector=selector).items:
        service = re.sub(r"-[^-]+-[^-]+$", "", pod.metadata.name).removeprefix(f"{RELEASES[environment]}-")
        if service in running and pod.metadata.deletion_timestamp is None:
            running[service].append(pod)
    for service_pods in running.values():
        service_pods.sort(key=lambda pod: pod.metadata.creation_timestamp)
    return running


def revisions(environment: str) -> list[dict[str, str]]:
    """Returns Helm's history of an environment's release, oldest first."""
    printed = subprocess.run(
        ["helm", "history", RELEASES[environment], "--namespace", environment, "--output", "json"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return list(json.loads(printed))


def test_release_runs_the_same_digests_in_both_environments(first_release: str) -> None:
    """Every service runs the same image in staging and production, named by digest."""
    staging, production = images("staging"), images("production")
    assert sorted(staging) == sorted(SERVICES)
    assert staging == production
    assert all(re.fullmatch(r".+@sha256:[0-9a-f]{64}", reference) for reference in staging.values())


def test_release_is_recorded_in_git(first_release: str, clone: RepositoryClone) -> None:
    """The remote has an annotated tag of the release commit, and the chart has the version there."""
    assert clone.git("ls-remote", "--tags", "origin", "v0.1.0").endswith("refs/tags/v0.1.0")
    assert clone.git("cat-file", "-t", "v0.1.0") == "tag"
    assert "version: 0.1.0" in clone.git("show", "v0.1.0:chart/Chart.yaml").splitlines()
    assert clone.git("rev-parse", "origin/main") == clone.git("rev-parse", "v0.1.0^{commit}")


@pytest.mark.parametrize("environment", HOSTS)
@pytest.mark.parametrize("service", ["backend", "mcp", "notification", "sse-gateway"])
def test_pod_of_a_service_on_the_bus_has_a_ready_sidecar(
    first_release: str, environment: str, service: str
) -> None:
    """Dapr's injector ignores failures, so nothing else reports an annotated pod without daprd."""
    statuses = [status for pod in pods(environment)[service] for status in pod.status.container_statuses]
    assert {status.name: status.ready for status in statuses}.get("daprd") is True


def test_environments_use_different_topics(first_release: str, cluster: RunningCluster) -> None:
    """Staging writes to prefixed topics on the shared broker, over SASL and TLS."""
    listed = subprocess.run(
        [cluster.program, "kafka", "TopicCommand", "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"task-events", "notifications", "staging-task-events", "staging-notifications"} <= set(listed)


@pytest.mark.parametrize("environment", HOSTS)
def test_preflight_of_a_healthy_environment_finds_only_notes(
    first_release: str, clone: RepositoryClone, environment: str
) -> None:
    """Preflight reports no error and no warning on a version that runs well."""
    printed = clone.inv("preflight", f"--env={environment}", "--json").stdout
    events = map(json.loads, printed.splitlines())
    (inspection,) = [event for event in events if event["event"] == "preflight"]
    assert [finding for finding in inspection["findings"] if finding["severity"] != "note"] == []


def test_repeated_release_changes_nothing(first_release: str, clone: RepositoryClone) -> None:
    """The same command again writes no revision, commit or tag, and says that nothing is to do."""
    before = revisions("staging"), revisions("production"), clone.git("rev-parse", "HEAD")
    printed = clone.inv("release", "--version=0.1.0", "--yes").stdout
    assert "nothing to do" in printed.lower()
    assert (revisions("staging"), revisions("production"), clone.git("rev-parse", "HEAD")) == before


def test_release_of_one_changed_service_rebuilds_and_restarts_only_that(
    first_release: str, clone: RepositoryClone, record_property: Callable[[str, object], None]
) -> None:
    """0.1.1 changes notification, so the four other services keep image and pods."""
    images_before, pods_before = images("production"), pods("production")
    module = clone.path / "services/notification/src/todo_notification/__init__.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nCHANGED_FOR_0_1_1 = True\n", encoding="utf-8")
    clone.git("commit", "--quiet", "--all", "--message=notification: Change it.")
    printed = clone.inv("release", "--version=0.1.1", "--yes", "--json").stdout
    for event in map(json.loads, printed.splitlines()):
        if event["event"] in {"step-ended", "plan-ended"} and event["seconds"] >= 1:
            record_property(event.get("step", "in all"), f"{event['seconds']:.1f} s")
    images_after, pods_after = images("production"), pods("production")
    assert {name for name in SERVICES if images_after[name] != images_before[name]} == {"notification"}
    kept = [name for name in SERVICES if name != "notification"]
    names_before = {name: [pod.metadata.name for pod in pods_before[name]] for name in kept}
    assert {name: [pod.metadata.name for pod in pods_after[name]] for name in kept} == names_before
