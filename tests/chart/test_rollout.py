"""Changes of running pods by a release: one pod at a time, and none where nothing changed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).parents[2] / "chart"


@dataclass(frozen=True)
class Shutdown:
    """The durations of a pod's termination, read from what was rendered."""

    unready_after: int
    delay: int
    drain: int
    sidecar_starts: int | None
    sidecar_seconds: int
    grace: int

    @classmethod
    def of(cls, deployment):
        """Reads the durations of a Deployment's pods."""
        template = deployment["spec"]["template"]
        [container] = template["spec"]["containers"]
        env = {entry["name"]: entry.get("value") for entry in container["env"]}
        annotations = template["metadata"].get("annotations", {})
        block = annotations.get("dapr.io/block-shutdown-duration")
        probe = container["readinessProbe"]
        return cls(
            unready_after=probe["periodSeconds"] * probe["failureThreshold"],
            delay=int(env["SHUTDOWN_DELAY_SECONDS"]),
            drain=int(env["DRAIN_SECONDS"]),
            sidecar_starts=int(block.removesuffix("s")) if block else None,
            sidecar_seconds=int(annotations.get("dapr.io/graceful-shutdown-seconds", "0")),
            grace=template["spec"]["terminationGracePeriodSeconds"],
        )


SHUTDOWNS = [{}, {"shutdown": {"routingSeconds": 40, "drainSeconds": 60, "marginSeconds": 5}}]


@pytest.fixture(params=SHUTDOWNS, ids=["defaults", "longer"])
def shutdowns(request, render):
    """The durations of each service, with the default values and with longer ones."""
    rendered = render("production", request.param)
    return {
        item["metadata"]["name"].removeprefix("todo-app-"): Shutdown.of(item) for item in rendered.services()
    }


def test_terminating_pod_serves_until_every_load_balancer_has_noticed(shutdowns):
    """Readiness fails soon; more than 9 s (three probes of a cloud) are left for those who look elsewhere."""
    for name, shutdown in shutdowns.items():
        assert shutdown.unready_after <= 6, name
        assert shutdown.delay >= shutdown.unready_after + 15, name


def test_process_learns_of_its_termination_at_once(rendered):
    """A preStop hook would delay SIGTERM, and the pod would be ready for as long as the hook runs."""
    for item in rendered.services():
        [container] = item["spec"]["template"]["spec"]["containers"]
        assert "lifecycle" not in container


def test_sidecar_that_delivers_has_ended_while_the_app_serves(shutdowns):
    """Calls that a sidecar accepted are answered; it stops after callers can know that the pod is unready."""
    for name in ("backend", "notification", "sse-gateway"):
        shutdown = shutdowns[name]
        assert shutdown.sidecar_starts + shutdown.sidecar_seconds <= shutdown.delay, name
        assert shutdown.sidecar_starts > shutdown.unready_after, name


def test_sidecar_that_is_only_called_outlives_the_app(shutdowns):
    """The MCP server reaches the backend through its sidecar until its last request is answered."""
    assert shutdowns["mcp"].sidecar_starts >= shutdowns["mcp"].delay + shutdowns["mcp"].drain
    assert shutdowns["frontend"].sidecar_starts is None


def test_grace_period_covers_every_part_of_the_shutdown(shutdowns):
    """Nothing is killed while it still may take its time."""
    for name, shutdown in shutdowns.items():
        app_ends = shutdown.delay + shutdown.drain
        sidecar_ends = (shutdown.sidecar_starts or 0) + shutdown.sidecar_seconds
        assert shutdown.grace >= max(app_ends, sidecar_ends) + 5, name


def test_sidecar_that_would_stop_before_callers_can_know_is_refused(refusal):
    """The values may not let the sidecar stop while its pod still counts as ready."""
    error = refusal("production", {"dapr": {"gracefulShutdownSeconds": 15}})
    assert "dapr.gracefulShutdownSeconds 15 is not less than shutdown.routingSeconds 15" in error


def test_rollout_never_goes_below_the_wanted_replicas(rendered):
    """An old pod ends only after a new one is ready, and one surge pod is enough."""
    for item in rendered.services():
        assert item["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert item["spec"]["progressDeadlineSeconds"] == 240
        assert item["spec"]["minReadySeconds"] == 5


def test_probes_use_the_contract_paths(rendered):
    """Liveness and startup use /healthz, readiness uses /readyz."""
    for item in rendered.services():
        [container] = item["spec"]["template"]["spec"]["containers"]
        paths = {
            probe: container[probe]["httpGet"]["path"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_replicas_are_left_to_the_autoscaler_where_there_is_one(render):
    """A Deployment with an autoscaler has no replicas, which each release would reset."""
    assert [item for item in render("production").services() if "replicas" in item["spec"]] == []
    without = render("production", {"hpa": {"enabled": False}}).services()
    assert sorted(item["spec"]["replicas"] for item in without) == [1, 1, 2, 2, 2]


def test_selectors_are_name_and_instance_only(rendered):
    """Selectors are immutable, so they have only labels that never change."""
    for kind, selector in (
        ("Deployment", lambda spec: spec["selector"]["matchLabels"]),
        ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
        ("Service", lambda spec: spec["selector"]),
    ):
        for item in rendered.of_kind(kind):
            assert set(selector(item["spec"])) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}, (
                kind
            )


def test_selectors_match_their_own_pods_and_no_others(rendered):
    """Each Deployment, Service and budget selects one workload, and none selects a Job."""
    labels = {workload: template["metadata"]["labels"] for workload, template in rendered.pod_templates()}
    for item in rendered.of_kind("Deployment", "Service", "PodDisruptionBudget"):
        selector = item["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        matched = [workload for workload, found in labels.items() if wanted <= found.items()]
        assert matched == [item["metadata"]["name"]], item["kind"]


def test_pod_templates_are_the_same_in_the_next_release(render, environment, tmp_path):
    """A new version alone changes no pod template, so unchanged services do not restart."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**metadata, "version": "9.9.9", "appVersion": "9.9.9"}))
    later = render(environment, chart=chart)
    assert dict(later.pod_templates()) == dict(render(environment).pod_templates())
    labels = later.one("Deployment", "-backend")["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == "9.9.9"


def changed_templates(before, after):
    """Returns the workloads whose pods would be replaced, without the release's prefix."""
    old, new = dict(before.pod_templates()), dict(after.pod_templates())
    return {
        name.removeprefix("todo-app-") for name in old if old[name] != new[name] and "migrate" not in name
    }


@pytest.mark.parametrize(
    ("values", "rolled"),
    [
        ({"backend": {"image": {"digest": "sha256:" + "f" * 64}}}, {"backend"}),
        ({"dapr": {"tracing": {"samplingRate": "0.5"}}}, {"backend", "mcp", "notification", "sse-gateway"}),
        ({"pubsub": {"kafka": {"caCertFromSecret": True}}}, {"backend", "notification", "sse-gateway"}),
        (
            {"config": {"publicUrl": "https://other.example"}},
            {"frontend", "backend", "mcp", "notification", "sse-gateway"},
        ),
        ({"ingress": {"annotations": {"example": "x"}}}, set()),
        ({"mcp": {"hpa": {"maxReplicas": 9}}}, set()),
    ],
    ids=["image", "dapr-configuration", "broker", "public-url", "ingress", "hpa"],
)
def test_change_restarts_only_the_pods_that_read_it(render, values, rolled):
    """A checksum restarts the readers of Dapr resources, which a sidecar reads only at its start."""
    assert changed_templates(render("production"), render("production", values)) == rolled


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("frontend", ["node", "migrate.mjs"]),
        ("backend", ["python", "-m", "todo_backend.migrate"]),
        ("notification", ["python", "-m", "todo_notification.migrate"]),
    ],
)
def test_migration_runs_from_the_image_of_its_service(render, service, command):
    """A migration runs the image of the version whose schema it makes."""
    rendered = render("production")
    containers = rendered.one("Job", "-migrate")["spec"]["template"]["spec"]["containers"]
    [migration] = [container for container in containers if container["name"] == service]
    [server] = rendered.one("Deployment", f"-{service}")["spec"]["template"]["spec"]["containers"]
    assert migration["image"] == server["image"]
    assert migration["command"] == command


def test_autoscalers_keep_to_the_bounds_of_the_values(render):
    """Autoscalers have the plan's bounds and measure only the application's container."""
    found = {}
    for item in render("production").of_kind("HorizontalPodAutoscaler"):
        spec = item["spec"]
        [metric] = spec["metrics"]
        service = spec["scaleTargetRef"]["name"].removeprefix("todo-app-")
        assert metric["containerResource"]["container"] == service
        target = metric["containerResource"]["target"]["averageUtilization"]
        found[service] = (spec["minReplicas"], spec["maxReplicas"], target)
    assert found == {
        "frontend": (2, 4, 80),
        "backend": (2, 6, 70),
        "mcp": (1, 2, 80),
        "notification": (1, 3, 70),
        "sse-gateway": (2, 4, 70),
    }


def test_migrations_end_before_helm_gives_up(rendered):
    """A migration has a deadline below Helm's time-out, few attempts, and needs no object of the chart."""
    for job in rendered.of_kind("Job"):
        assert job["metadata"]["annotations"] == {
            "helm.sh/hook": "pre-install,pre-upgrade",
            "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        }
        assert job["spec"]["activeDeadlineSeconds"] < 300
        assert job["spec"]["backoffLimit"] == 2
        pod = job["spec"]["template"]["spec"]
        assert "serviceAccountName" not in pod
        assert "annotations" not in job["spec"]["template"]["metadata"]
