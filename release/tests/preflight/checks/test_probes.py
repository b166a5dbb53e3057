"""Whether probes can succeed in time."""

from dataclasses import replace
from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import DEPLOYMENTS
from todo_release.environments.history import DeploymentRecord
from todo_release.preflight.checks.probes import CHECK

from ..snapshots import (
    CONFIG,
    NOW,
    error_causes,
    findings_of,
    live_object,
    make_config,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)

CONTRACT = {
    "api": {
        "paths": {
            "/api/health": {"get": {}},
            "/api/todos": {"get": {"security": [{"bearer": []}]}},
        }
    }
}


def deployment(
    path: str = "/healthz", *, name: str = "web", port: Any = "http", **spec: Any
) -> dict[str, Any]:
    """Returns a Deployment whose readiness probe requests a path."""
    container = {
        "name": name,
        "image": f"registry.test/shop/{name}@sha256:1",
        "ports": [{"name": "http", "containerPort": 8000}, {"containerPort": 9000}],
        "readinessProbe": {"httpGet": {"path": path, "port": port}, "periodSeconds": 5},
        **spec.pop("container", {}),
    }
    return workload(name, containers=[container], spec={"progressDeadlineSeconds": 240, **spec})


def with_health(**health: list[str]) -> dict[str, Any]:
    """Returns release.yaml with declared health paths."""
    images = {name: {**CONFIG["images"][name], "health": health.get(name, [])} for name in ("web", "api")}
    return {"config": make_config(images=images)}


def test_probe_of_a_declared_health_path_is_no_finding() -> None:
    """Ports may be named or numbered; other kinds of probes and foreign images are not checked."""
    healthy = with_health(web=["/healthz"])
    assert summaries_of(CHECK, make_snapshot(deployment(), **healthy)) == []
    assert summaries_of(CHECK, make_snapshot(deployment(port=8000), **healthy)) == []
    assert (
        summaries_of(
            CHECK,
            make_snapshot(
                deployment(container={"readinessProbe": {"tcpSocket": {"port": "http"}}}), **healthy
            ),
        )
        == []
    )
    assert (
        summaries_of(CHECK, make_snapshot(deployment(container={"readinessProbe": {"exec": {}}}), **healthy))
        == []
    )
    assert summaries_of(CHECK, make_snapshot(deployment(container={"image": "redis:7"}), **healthy)) == []


def test_probe_of_an_undeclared_path_is_a_warning_where_health_is_declared() -> None:
    """A path that is not declared may not exist or may need a login."""
    (finding,) = findings_of(
        CHECK, make_snapshot(deployment("/health"), **with_health(web=["/healthz", "/readyz"]))
    )
    assert finding.cause == (
        "The readinessProbe requests /health, which is no health path of web (/healthz, /readyz)."
    )
    assert (finding.severity.value, finding.path) == (
        "warning",
        "spec.template.spec.containers[0].readinessProbe",
    )


def test_probe_without_declared_health_paths_is_one_note_per_image() -> None:
    """Without declared paths nothing is certain."""
    twice = deployment(container={"livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}}})
    assert len(findings_of(CHECK, make_snapshot(twice))) == 1
    assert severities_of(CHECK, make_snapshot(deployment())) == ["note"]


def test_probe_of_a_path_that_needs_a_login_is_an_error() -> None:
    """The contract says which paths need a login, each or all."""
    assert summaries_of(CHECK, make_snapshot(deployment("/api/health", name="api"), contracts=CONTRACT)) == []
    assert error_causes(CHECK, make_snapshot(deployment("/api/todos", name="api"), contracts=CONTRACT)) == [
        "The readinessProbe requests /api/todos, which needs a login: the pod never becomes ready."
    ]
    guarded = {"api": {**CONTRACT["api"], "security": [{"bearer": []}]}}
    assert (
        len(error_causes(CHECK, make_snapshot(deployment("/api/health", name="api"), contracts=guarded))) == 1
    )


def test_probe_of_a_missing_named_port_is_an_error() -> None:
    """A named port must exist in the container."""
    (finding,) = findings_of(CHECK, make_snapshot(deployment(port="web"), **with_health(web=["/healthz"])))
    assert finding.cause == "The readinessProbe of web uses port 'web', which the container does not have."
    assert finding.remedy == "Use one of: http."


STARTUP = {
    "startupProbe": {
        "httpGet": {"path": "/healthz", "port": "http"},
        "periodSeconds": 10,
        "failureThreshold": 60,
    }
}


@pytest.mark.parametrize(
    ("workload_", "severity", "cause"),
    [
        (
            deployment(container=STARTUP, minReadySeconds=5),
            "warning",
            "Its probes allow a start of 610 s, but the rollout counts as stalled after 240 s.",
        ),
        (
            deployment(progressDeadlineSeconds=601),
            "note",
            "The rollout counts as stalled after 601 s, the release waits only 600 s.",
        ),
        (
            workload("seed", kind="Job", hook="pre-upgrade", spec={"activeDeadlineSeconds": 600}),
            "warning",
            (
                "The hook may take 600 s and all hooks together only 600 s: the release gives up before the "
                "hook fails."
            ),
        ),
    ],
)
def test_contradicting_deadlines_are_findings(workload_: dict[str, Any], severity: str, cause: str) -> None:
    """Probes, progress deadline, hook deadline and release timeout must be in this order."""
    summaries = summaries_of(CHECK, make_snapshot(workload_, **with_health(web=["/healthz"])))
    assert [(found_severity, found_cause) for found_severity, _, found_cause in summaries] == [
        (severity, cause)
    ]


def test_deadlines_of_other_workloads_are_not_checked() -> None:
    """A Job without a deadline and a StatefulSet have no deadlines to compare."""
    snapshot = make_snapshot(
        workload("seed", kind="Job", hook="pre-upgrade"), workload("db", kind="StatefulSet")
    )
    assert summaries_of(CHECK, snapshot) == []


def test_hooks_have_a_time_of_their_own() -> None:
    """Their deadline is compared with that and not with the rollout's."""
    hook = workload("seed", kind="Job", hook="pre-upgrade", spec={"activeDeadlineSeconds": 600})
    assert (
        summaries_of(CHECK, make_snapshot(hook, config=make_config(rollout={"hook_timeout_seconds": 900})))
        == []
    )


def test_paused_deployment_is_an_error() -> None:
    """A rollout of it would wait until its deadline, and be taken back."""
    healthy = with_health(web=["/healthz"])
    (by_chart,) = error_causes(CHECK, make_snapshot(deployment(paused=True), **healthy))
    assert by_chart.startswith("The chart pauses it")
    paused = live_object(deployment(paused=True))
    (finding,) = findings_of(CHECK, make_snapshot(deployment(), lists={DEPLOYMENTS: [paused]}, **healthy))
    assert finding.cause.startswith("Somebody paused it")
    assert "rollout resume deployment/web`" in finding.remedy
    assert (
        error_causes(CHECK, make_snapshot(deployment(paused=False), lists={DEPLOYMENTS: [paused]}, **healthy))
        == []
    )


def test_wrong_rollout_annotation_is_an_error() -> None:
    """Otherwise it would do nothing, when it is needed."""
    body = deployment()
    body["metadata"]["annotations"] = {"rollout.release-engine.dev/crash-secs": "120"}
    (cause,) = error_causes(CHECK, make_snapshot(body, **with_health(web=["/healthz"])))
    assert cause.startswith("The annotation rollout.release-engine.dev/crash-secs is not known; known are: ")


RECORD = DeploymentRecord(
    revision=1,
    version="0.1.0",
    deployment_id="x",
    digests={},
    by="ana",
    run_url=None,
    started_at=NOW,
    result="verified",
    seconds={"deploy": 500},
)


def test_rollouts_that_were_nearly_too_slow_are_a_warning() -> None:
    """Only the last successful rollouts count."""
    assert summaries_of(CHECK, make_snapshot(records=[RECORD])) == [
        (
            "warning",
            "Namespace/staging",
            "The slowest of the last rollouts (1) took 500 s of the 600 s that are allowed.",
        )
    ]
    failed = replace(RECORD, result="failed")
    quick = replace(RECORD, seconds={"deploy": 50.0})
    assert summaries_of(CHECK, make_snapshot(records=[failed, RECORD, *[quick] * 5])) == []
