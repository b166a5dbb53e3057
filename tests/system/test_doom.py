"""Versions whose pods can never become ready: named within seconds, with evidence, and taken back."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from todo_release.pod_doom import NETWORK_SECONDS, NODE_SECONDS, READY_SECONDS

from .running import Run, tells
from .shopkeeper import Shop

ROOT = Path(__file__).resolve().parents[2]
TOLD_WITHIN = (
    15.0  # seconds after the cluster shows it, beside the time that a cause is given to pass by itself
)
Values = Mapping[str, Any]


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


class _Denier(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="shop"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - what http.server calls

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def denying_registry() -> Iterator[str]:
    """host:port of a registry that knows nobody."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Denier) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class Case:
    """A mistake: the values that make it, what it ends with, and what is said and logged.

    `grace_seconds` is what the cause is given to pass by itself; `given` what must hold meanwhile; `log` what
    a container wrote; `settings` what release.yaml says differently.
    """

    cause: str
    code: int
    values: Callable[[Shop], Values]
    says: str
    grace_seconds: float = 0
    given: Callable[[Shop], AbstractContextManager[None]] = nullcontext
    log: str = ""
    settings: Values = field(default_factory=dict)


CRASH = "import sys; sys.exit('DATABASE_URL is not set')"
CASES = {
    "image of a digest that nobody pushed": Case(
        "image-missing",
        21,
        lambda shop: web(image=f"{shop.registry}/web@sha256:{'0' * 64}"),
        "there is no image localhost",
    ),
    "image from a registry that knows nobody": Case(
        "image-denied",
        22,
        lambda shop: web(image=f"{shop.environ['DENYING_REGISTRY']}/shop/web:1"),
        "does not let the node pull",
    ),
    "image from a registry that does not answer": Case(
        "image-unreachable",
        23,
        lambda shop: web(image="localhost:1/shop/web:1"),
        "connection refused",
        grace_seconds=NETWORK_SECONDS,
    ),
    "secret that is not there": Case(
        "config-missing",
        24,
        lambda shop: web(envFrom=[{"secretRef": {"name": "payments"}}]),
        "there is no Secret 'payments'",
    ),
    "key that the secret does not have": Case(
        "config-missing",
        24,
        lambda shop: web(
            env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "TOKEN"}}}]
        ),
        "Secret 'shop' has no key 'TOKEN'",
    ),
    "mounted configuration that is not there": Case(
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
    "program that is not in the image": Case(
        "cannot-start", 25, lambda shop: web(command=["/usr/bin/gone"]), "/usr/bin/gone"
    ),
    "program that ends": Case(
        "crash-loop",
        26,
        lambda shop: web(command=python(CRASH)),
        "its last line: 'DATABASE_URL is not set'",
        log="DATABASE_URL is not set",
    ),
    "program that needs more memory than it may have": Case(
        "out-of-memory",
        27,
        lambda shop: web(command=python("held = bytearray(10**9)")),
        "was killed at its memory limit",
    ),
    "program that is never ready": Case(
        "probe-failing",
        28,
        lambda shop: web(readinessProbe={"httpGet": {"path": "/nothing"}}),
        "HTTP probe failed with statuscode: 404",
        grace_seconds=READY_SECONDS,
        log="web serves",
    ),
    "program that its liveness probe kills": Case(
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
    "sidecar of the chart that ends": Case(
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
    "sidecar of Dapr without its configuration": Case(
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
    "quota without room for one more pod": Case(
        "quota-exceeded",
        30,
        lambda shop: {"greeting": "one more"},
        "quota tight has no room",
        given=quota,
    ),
    "pod that may do too much": Case(
        "pod-refused",
        31,
        lambda shop: web(securityContext={"privileged": True, "allowPrivilegeEscalation": True}),
        "violates PodSecurity",
    ),
    "pod that no node can take": Case(
        "unschedulable",
        32,
        lambda shop: web(resources={"requests": {"cpu": "64"}}),
        "Insufficient cpu",
        grace_seconds=NODE_SECONDS,
    ),
    "migration that fails": Case(
        "job-failed",
        33,
        lambda shop: {
            "hook": {"events": "pre-upgrade", "command": python("import sys; sys.exit('no such table')")}
        },
        "its last line: 'no such table'",
        log="no such table",
    ),
    "migration whose image nobody pushed": Case(
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
    "rollout that makes no progress": Case(
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
    "rollout that takes longer than it may": Case(
        "deadline",
        20,
        lambda shop: {"greeting": "wait", "web": {"deployment": {"minReadySeconds": 50}}},
        "time is over",
        grace_seconds=10,
        settings={"timeout_seconds": 10},
    ),
}


@pytest.fixture(scope="module")
def good(shop: Shop, sidecars: None, denying_registry: str) -> Shop:
    """The shop in staging, verified, and everything that the cases need."""
    ready = shop.with_environ(DENYING_REGISTRY=denying_registry)
    ready.change("web", "what worked")
    ready.run("release", f"--version={ready.next_version()}", "--to=staging")
    return ready


def shown_at(shop: Shop, since: float, until: float) -> float:
    """When the cluster first said that something is wrong: its first warning; seconds of `time.time`.

    A Deployment that makes no progress gives none: then it was wrong from the start.
    """
    times = [
        datetime.fromisoformat(one["eventTime"] or one["firstTimestamp"]).timestamp()
        for one in shop.objects("staging", "events")
        if one["type"] == "Warning"
    ]
    return min((at for at in times if since - 1 < at < until), default=since)


@pytest.mark.parametrize("name", CASES)
def test_doomed_version_is_named_and_taken_back(
    good: Shop,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    name: str,
) -> None:
    """One cause with its own exit code, evidence of before the rollback, and the old version serves again."""
    case, shop = CASES[name], good
    earlier, version = shop.history("staging")[-1], shop.next_version()
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"environments": {"staging": dict(case.settings)}}), encoding="utf-8")
    shop.configure("staging", case.values(shop))
    with case.given(shop):
        run = shop.run(
            "release", f"--version={version}", "--to=staging", f"--config={settings}", code=case.code
        )
    assert_told(run, case)
    assert_evidence(Path(run.failure["evidence"]), case)
    assert shop.answer("staging")["page"] == "what worked"
    assert_restored(shop, earlier)
    began, failed, back = (
        run.until(told, timeout_seconds=0)["at"]
        for told in (
            tells("step-started", "deploy:staging"),
            tells("step-spoke", text="failed: "),
            tells("step-spoke", text="rolled back to "),
        )
    )
    shown = shown_at(shop, began, failed)
    record_property("told", f"{failed - shown:.1f} s after it showed, {failed - began:.1f} s after the start")
    record_property("back", f"{back - failed:.1f} s later")
    assert failed - shown < TOLD_WITHIN + case.grace_seconds


def assert_told(run: Run, case: Case) -> None:
    """One error: what, which cause, what to do, and the page that says more."""
    failure = run.failure
    assert case.says in failure["problem"]
    assert failure["problem"].endswith(f"[{case.cause}].")
    assert f"docs/runbooks/{case.cause}.md" in failure["remedy"]
    assert (ROOT / f"docs/runbooks/{case.cause}.md").is_file()


def assert_evidence(folder: Path, case: Case) -> None:
    """What the rollback wiped away: events and pods of the version, and what its containers wrote."""
    events = (folder / "events.txt").read_text(encoding="utf-8")
    assert "ScalingReplicaSet" in events
    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("logs/*.log"))
    assert case.log in logs


def assert_restored(shop: Shop, earlier: Mapping[str, Any]) -> None:
    """Helm, the records and every Deployment are where they were before."""
    history = shop.history("staging")
    assert [one["status"] for one in history[-2:]] == ["failed", "deployed"]
    assert history[-1]["app_version"] == earlier["app_version"]
    assert [one["result"] for one in shop.records("staging")[-2:]] == ["failed", "deployed"]
    for one in shop.objects("staging", "deployments"):
        assert one["status"]["readyReplicas"] == one["status"]["replicas"] == one["status"]["updatedReplicas"]
