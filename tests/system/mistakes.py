"""Mistakes that doom a version of the shop: what makes each, and what a release of it must end with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from todo_release.environments.rollout.pod_failures import NETWORK_SECONDS, NODE_SECONDS, READY_SECONDS
from todo_release.preflight.all_checks import CHECKS

from .shopkeeper import Shop

Values = Mapping[str, Any]
# Preflight would stop most of these before they start; with this it is the watch that has to notice.
UNCHECKED = tuple(f"--skip={check.id}=the mistake is meant" for check in CHECKS)


def web(**container: Any) -> Values:
    """Values that change the container of web."""
    return {"web": {"container": container}}


def python(code: str) -> list[str]:
    """A command that a container can run."""
    return ["python", "-c", code]


@contextmanager
def quota(shop: Shop) -> Iterator[None]:
    """Meanwhile no pod fits beside those that run."""
    namespace = f"--namespace={shop.namespace('staging')}"
    shop.kubectl("create", "quota", "tight", "--hard=pods=2", namespace)
    yield
    shop.kubectl("delete", "quota", "tight", namespace)


@dataclass(frozen=True)
class Mistake:
    """The values that make a mistake, what a release of it ends with, and what is said and logged.

    `grace_seconds` is what the cause is given to pass by itself; `given` what must hold meanwhile; `log` what
    a container wrote; `settings` what release.yaml says differently.
    """

    cause: str
    code: int
    values: Callable[[Shop], Values]
    says: str
    grace_seconds: float = 0
    given: Callable[[Shop], AbstractContextManager[None]] = lambda _: nullcontext()
    log: str = ""
    settings: Values = field(default_factory=dict)


CRASH = "import sys; sys.exit('DATABASE_URL is not set')"
MISTAKES = {
    "image of a digest that nobody pushed": Mistake(
        "image-missing",
        21,
        lambda shop: web(image=f"{shop.registry}/web@sha256:{'0' * 64}"),
        "there is no image localhost",
    ),
    "image from a registry that knows nobody": Mistake(
        "image-denied",
        22,
        lambda shop: web(image=f"{shop.environ['DENYING_REGISTRY']}/shop/web:1"),
        "does not let the node pull",
    ),
    "image from a registry that does not answer": Mistake(
        "image-unreachable",
        23,
        lambda shop: web(image="localhost:1/shop/web:1"),
        "connection refused",
        grace_seconds=NETWORK_SECONDS,
    ),
    "secret that is not there": Mistake(
        "config-missing",
        24,
        lambda shop: web(envFrom=[{"secretRef": {"name": "payments"}}]),
        "there is no Secret 'payments'",
    ),
    "key that the secret does not have": Mistake(
        "config-missing",
        24,
        lambda shop: web(
            env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "TOKEN"}}}]
        ),
        "Secret 'shop' has no key 'TOKEN'",
    ),
    "mounted configuration that is not there": Mistake(
        "config-missing",
        24,
        lambda shop: {
            "web": {
                "pod": {"volumes": [{"name": "prices", "configMap": {"name": "prices"}}]},
                "container": {"volumeMounts": [{"name": "prices", "mountPath": "/prices"}]},
            }
        },
        "there is no ConfigMap 'prices'",
    ),
    "program that is not in the image": Mistake(
        "cannot-start", 25, lambda shop: web(command=["/usr/bin/gone"]), "/usr/bin/gone"
    ),
    "program that ends": Mistake(
        "crash-loop",
        26,
        lambda shop: web(command=python(CRASH)),
        "its last line: 'DATABASE_URL is not set'",
        log="DATABASE_URL is not set",
    ),
    "program that needs more memory than it may have": Mistake(
        "out-of-memory",
        27,
        lambda shop: web(command=python("held = bytearray(10**9)")),
        "was killed at its memory limit",
    ),
    "program that is never ready": Mistake(
        "probe-failing",
        28,
        lambda shop: web(readinessProbe={"httpGet": {"path": "/nothing"}}),
        "HTTP probe failed with statuscode: 404",
        grace_seconds=READY_SECONDS,
        log="web serves",
    ),
    "program that its liveness probe kills": Mistake(
        "probe-failing",
        28,
        lambda shop: web(
            livenessProbe={
                "httpGet": {"path": "/nothing", "port": "http"},
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
            readinessProbe={"initialDelaySeconds": 60},
        ),
        "was restarted because its liveness probe failed",
    ),
    "sidecar of the chart that ends": Mistake(
        "sidecar-failing",
        29,
        lambda shop: {
            "web": {
                "pod": {
                    "initContainers": [
                        {
                            "name": "proxy",
                            "image": f"{shop.registry}/api@{shop.digest('api', 'v0.1.0')}",
                            "command": python("import sys; sys.exit('no route')"),
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
        log="no route",
    ),
    "sidecar of Dapr without its configuration": Mistake(
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
        log="failed to get configuration",
    ),
    "quota without room for one more pod": Mistake(
        "quota-exceeded",
        30,
        lambda shop: {"greeting": "one more"},
        "quota tight has no room",
        given=quota,
    ),
    "pod that may do too much": Mistake(
        "pod-refused",
        31,
        lambda shop: web(securityContext={"privileged": True, "allowPrivilegeEscalation": True}),
        "violates PodSecurity",
    ),
    "pod that no node can take": Mistake(
        "unschedulable",
        32,
        lambda shop: web(resources={"requests": {"cpu": "64"}}),
        "Insufficient cpu",
        grace_seconds=NODE_SECONDS,
    ),
    "migration that fails": Mistake(
        "job-failed",
        33,
        lambda shop: {
            "hook": {"events": "pre-upgrade", "command": python("import sys; sys.exit('no such table')")}
        },
        "its last line: 'no such table'",
        log="no such table",
    ),
    "migration whose image nobody pushed": Mistake(
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
    ),
    "rollout that makes no progress": Mistake(
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
    "rollout that takes longer than it may": Mistake(
        "deadline",
        20,
        lambda shop: {"greeting": "wait", "web": {"deployment": {"minReadySeconds": 50}}},
        "time is over",
        grace_seconds=10,
        settings={"timeout_seconds": 10},
    ),
}
