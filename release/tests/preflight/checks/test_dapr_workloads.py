"""What is wrong with annotations, configurations and resiliency policies of Dapr."""

from typing import Any

import pytest

from todo_release.preflight.checks.dapr import CHECK

from ..snapshots import (
    make_snapshot,
    summaries_of,
    workload,
)
from .dapr_objects import app, causes, component


@pytest.mark.parametrize(
    ("annotations", "cause"),
    [
        ({"app_prot": "http"}, "Dapr knows no annotation dapr.io/app-prot, and ignores it."),
        ({"wildly_unlike": "x"}, "Dapr knows no annotation dapr.io/wildly-unlike, and ignores it."),
        (
            {"app_protocol": "htpp"},
            "The annotation dapr.io/app-protocol is 'htpp', which Dapr does not understand.",
        ),
        (
            {"app_port": "9999"},
            "The sidecar calls the app on port 9999, the containers declare 8000.",
        ),
    ],
)
def test_annotation_that_the_injector_does_not_understand_is_a_warning(
    annotations: dict[str, str], cause: str
) -> None:
    """The injector ignores unknown annotations and values."""
    assert summaries_of(CHECK, make_snapshot(app(**annotations))) == [("warning", "Deployment/web", cause)]


def test_annotations_without_a_sidecar_are_no_finding() -> None:
    """Annotations count only for pods with a sidecar, and only those of Dapr."""
    assert summaries_of(CHECK, make_snapshot(workload(annotations={"dapr.io/app-prot": "http"}))) == []
    assert (
        summaries_of(
            CHECK, make_snapshot(workload(annotations={"dapr.io/enabled": "true", "example/x": "y"}))
        )
        == []
    )


def test_app_id_of_two_workloads_is_a_warning() -> None:
    """Dapr sends requests for a shared app id to either workload."""
    other = app()
    other["metadata"]["name"] = "other"
    assert summaries_of(CHECK, make_snapshot(app(), other)) == [
        (
            "warning",
            "Deployment/other",
            "It has the app id web, like Deployment/web: Dapr takes them for replicas of one app.",
        )
    ]


def configuration(**spec: Any) -> dict[str, Any]:
    """Returns a Configuration."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": "web"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"tracing": {"samplingRate": "0.1"}, "accessControl": {"defaultAction": "deny"}}, []),
        ({"traicng": {}}, ["A Configuration has no spec.traicng."]),
        ({"tracing": {"samplingRate": "10%"}}, ["tracing.samplingRate is '10%': Dapr uses 0.0001 instead."]),
        ({"tracing": {"samplingRate": "7"}}, ["tracing.samplingRate is '7': Dapr uses 0.0001 instead."]),
        (
            {"accessControl": {"defaultAction": "block"}},
            ["accessControl.defaultAction is 'block': Dapr uses deny instead."],
        ),
    ],
)
def test_configuration_with_unknown_keys_or_values_is_a_warning(
    spec: dict[str, Any], expected: list[str]
) -> None:
    """Unknown keys, sampling rates and default actions are warnings."""
    assert causes(configuration(**spec)) == [("warning", cause) for cause in expected]


def resiliency(name: str, **used: str) -> dict[str, Any]:
    """Returns policies for a component."""
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Resiliency",
        "metadata": {"name": "web"},
        "spec": {
            "policies": {"retries": {"delivery": {}}},
            "targets": {"components": {name: {"inbound": used}}},
        },
    }


def test_resiliency_with_missing_components_or_policies_is_a_warning() -> None:
    """Dapr ignores targets and policies that do not exist."""
    assert causes(component(), resiliency("pubsub", retry="delivery")) == []
    assert causes(component(), resiliency("pubsub", retry="delivry")) == [
        ("warning", "pubsub uses the retry policy delivry, which is not defined: Dapr applies none.")
    ]
    assert causes(component(), resiliency("pubsup", retry="delivery")) == [
        ("warning", "It has policies for the component pubsup, which the chart does not have.")
    ]
