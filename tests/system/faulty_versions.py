"""Versions of the shop that cannot run: the values that make each, and how its release must end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from todo_release.config.rollout import RolloutSettings
from todo_release.preflight.all_checks import CHECKS

from .shop_clone import ShopClone

Values = Mapping[str, Any]
# Preflight would stop most of these versions; without it, watching the rollout has to detect the failure.
WITHOUT_PREFLIGHT = tuple(f"--skip={check.id}=the fault is intended" for check in CHECKS)


def web_container(**container: Any) -> Values:
    """Returns values that change the container of web."""
    return {"web": {"container": container}}


def python_command(code: str) -> list[str]:
    """Returns a container command that runs Python code."""
    return ["python", "-c", code]


@contextmanager
def pod_quota(shop: ShopClone) -> Iterator[None]:
    """Keeps a quota in staging that allows no pod beside the running ones."""
    namespace = f"--namespace={shop.namespace('staging')}"
    shop.kubectl("create", "quota", "tight", "--hard=pods=2", namespace)
    yield
    shop.kubectl("delete", "quota", "tight", namespace)


@dataclass(frozen=True)
class FaultyVersion:
    """A version that cannot run.

    Attributes:
        cause: The failure's id, which is also the name of its runbook.
        exit_code: The exit code of the release.
        values: The chart values that make the fault.
        problem: A part of the error's text.
        grace_seconds: How long the engine waits for the cause to pass by itself.
        condition: A context that must hold during the release.
        log: A part of a container's log, which the evidence must contain.
        settings: Settings of the environment in release.yaml that differ.
    """

    cause: str
    exit_code: int
    values: Callable[[ShopClone], Values]
    problem: str
    grace_seconds: float = 0
    condition: Callable[[ShopClone], AbstractContextManager[None]] = lambda _: nullcontext()
    log: str = ""
    settings: Values = field(default_factory=dict)


PATIENCE = RolloutSettings()
READINESS_SECONDS = 30  # by default a container has until the Deployment's progress deadline
CRASH = "import sys; sys.exit('DATABASE_URL is not set')"
FAULTY_VERSIONS = {
    "image digest that was never pushed": FaultyVersion(
        "image-missing",
        21,
        lambda shop: web_container(image=f"{shop.registry}/web@sha256:{'0' * 64}"),
        "there is no image localhost",
        grace_seconds=PATIENCE.missing_image_seconds,
    ),
    "image from a registry that refuses access": FaultyVersion(
        "image-denied",
        22,
        lambda shop: web_container(image=f"{shop.environ['DENYING_REGISTRY']}/shop/web:1"),
        "does not let the node pull",
        grace_seconds=PATIENCE.pull_seconds,
    ),
    "image from a registry that does not answer": FaultyVersion(
        "image-unreachable",
        23,
        lambda shop: web_container(image="localhost:1/shop/web:1"),
        "connection refused",
        grace_seconds=PATIENCE.pull_seconds,
    ),
    "missing Secret": FaultyVersion(
        "config-missing",
        24,
        lambda shop: web_container(envFrom=[{"secretRef": {"name": "payments"}}]),
        "there is no Secret 'payments'",
        grace_seconds=PATIENCE.missing_config_seconds,
    ),
    "missing key of a Secret": FaultyVersion(
        "config-missing",
        24,
        lambda shop: web_container(
            env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "TOKEN"}}}]
        ),
        "Secret 'shop' has no key 'TOKEN'",
        grace_seconds=PATIENCE.missing_config_seconds,
    ),
    "missing ConfigMap that is mounted": FaultyVersion(
        "config-missing",
        24,
        lambda shop: {
            "web": {
                "pod": {"volumes": [{"name": "prices", "configMap": {"name": "prices"}}]},
                "container": {"volumeMounts": [{"name": "prices", "mountPath": "/prices"}]},
            }
        },
        "there is no ConfigMap 'prices'",
        grace_seconds=PATIENCE.missing_config_seconds,
    ),
    "command that is not in the image": FaultyVersion(
        "cannot-start", 25, lambda shop: web_container(command=["/usr/bin/gone"]), "/usr/bin/gone"
    ),
    "program that exits": FaultyVersion(
        "crash-loop",
        26,
        lambda shop: web_container(command=python_command(CRASH)),
        "its last line: 'DATABASE_URL is not set'",
        grace_seconds=PATIENCE.crash_seconds,
        log="DATABASE_URL is not set",
    ),
    "program that exceeds its memory limit": FaultyVersion(
        "out-of-memory",
        27,
        lambda shop: web_container(command=python_command("held = bytearray(10**9)")),
        "was killed at its memory limit",
        grace_seconds=PATIENCE.crash_seconds,
    ),
    "program that is never ready": FaultyVersion(
        "probe-failing",
        28,
        lambda shop: web_container(readinessProbe={"httpGet": {"path": "/nothing"}}),
        "HTTP probe failed with statuscode: 404",
        grace_seconds=READINESS_SECONDS,
        log="web serves",
        settings={"rollout": {"readiness_seconds": READINESS_SECONDS}},
    ),
    "program that its liveness probe kills": FaultyVersion(
        "probe-failing",
        28,
        lambda shop: web_container(
            livenessProbe={
                "httpGet": {"path": "/nothing", "port": "http"},
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
            readinessProbe={"initialDelaySeconds": 60},
        ),
        "was restarted because its liveness probe failed",
        grace_seconds=PATIENCE.crash_seconds,
    ),
    "sidecar of the chart that exits": FaultyVersion(
        "sidecar-failing",
        29,
        lambda shop: {
            "web": {
                "pod": {
                    "initContainers": [
                        {
                            "name": "proxy",
                            "image": f"{shop.registry}/api@{shop.digest('api', 'v0.1.0')}",
                            "command": python_command("import sys; sys.exit('no route')"),
                            "restartPolicy": "Always",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }
                    ]
                }
            }
        },
        "container proxy of pod",
        grace_seconds=PATIENCE.crash_seconds,
        log="no route",
    ),
    "Dapr sidecar without its Configuration": FaultyVersion(
        "sidecar-failing",
        29,
        lambda shop: {
            "web": {
                "deployment": {
                    "template": {
                        "metadata": {
                            "annotations": {
                                "dapr.io/enabled": "true",
                                "dapr.io/app-id": "web",
                                "dapr.io/config": "gone",
                            }
                        }
                    }
                }
            }
        },
        "container daprd of pod",
        grace_seconds=PATIENCE.crash_seconds,
        log="failed to get configuration",
    ),
    "quota that allows no more pods": FaultyVersion(
        "quota-exceeded",
        30,
        lambda shop: {"greeting": "one more"},
        "quota tight is exceeded",
        condition=pod_quota,
    ),
    "privileged pod in a restricted namespace": FaultyVersion(
        "pod-refused",
        31,
        lambda shop: web_container(securityContext={"privileged": True, "allowPrivilegeEscalation": True}),
        "violates PodSecurity",
    ),
    "pod that fits on no node": FaultyVersion(
        "unschedulable",
        32,
        lambda shop: web_container(resources={"requests": {"cpu": "64"}}),
        "Insufficient cpu",
        grace_seconds=PATIENCE.unschedulable_seconds,
    ),
    "migration that fails": FaultyVersion(
        "job-failed",
        33,
        lambda shop: {
            "hook": {
                "events": "pre-upgrade",
                "command": python_command("import sys; sys.exit('no such table')"),
            }
        },
        "its last line: 'no such table'",
        log="no such table",
    ),
    "migration whose image was never pushed": FaultyVersion(
        "image-missing",
        21,
        lambda shop: {
            "hook": {
                "events": "pre-upgrade",
                "command": ["true"],
                "image": f"{shop.registry}/api@sha256:{'0' * 64}",
            }
        },
        "there is no image localhost",
        grace_seconds=PATIENCE.missing_image_seconds,
    ),
    "rollout that makes no progress": FaultyVersion(
        "stalled",
        34,
        lambda shop: {
            "web": {
                "container": {"readinessProbe": {"initialDelaySeconds": 60}},
                "deployment": {"progressDeadlineSeconds": 8},
            }
        },
        "has timed out progressing",
        grace_seconds=8,
    ),
    "rollout that exceeds the time limit": FaultyVersion(
        "deadline",
        20,
        lambda shop: {"greeting": "wait", "web": {"deployment": {"minReadySeconds": 50}}},
        "the deadline has passed",
        grace_seconds=10,
        settings={"timeout_seconds": 10},
    ),
}
