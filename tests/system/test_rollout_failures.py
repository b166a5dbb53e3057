"""Releases of versions that cannot run: detected within seconds, with evidence, and rolled back."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from .engine_run import EngineRun, is_event
from .faulty_versions import FAULTY_VERSIONS, WITHOUT_PREFLIGHT, FaultyVersion
from .shop_clone import ShopClone

ROOT = Path(__file__).resolve().parents[2]
# After the cluster's first warning, in addition to the grace period of the cause.
DETECTED_WITHIN_SECONDS = 15.0


class _RefusingHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="shop"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815  # http.server looks this name up

    def log_message(self, *_: object) -> None:
        """Writes nothing."""


@pytest.fixture(scope="module")
def denying_registry() -> Iterator[str]:
    """host:port of a registry that refuses everyone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _RefusingHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def verified(shop: ShopClone, sidecars: None, denying_registry: str) -> ShopClone:
    """The shop, verified in staging, and everything that the faulty versions need."""
    ready = shop.with_environ(DENYING_REGISTRY=denying_registry)
    ready.change("web", "what worked")
    ready.run("release", f"--version={ready.next_version()}", "--to=staging")
    return ready


def first_warning_at(shop: ShopClone, since: float, until: float) -> float:
    """Returns the time of the cluster's first warning, in seconds of `time.time`.

    A Deployment that makes no progress causes no warning; then it is the start of the period.
    """
    times = [
        datetime.fromisoformat(event["eventTime"] or event["firstTimestamp"]).timestamp()
        for event in shop.objects("staging", "events")
        if event["type"] == "Warning"
    ]
    return min((at for at in times if since - 1 < at < until), default=since)


@pytest.mark.parametrize("name", FAULTY_VERSIONS)
def test_failure_of_a_rollout_is_named_and_rolled_back(
    verified: ShopClone,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    name: str,
) -> None:
    """The cause has its exit code, evidence is kept, and the earlier version serves again."""
    faulty, shop = FAULTY_VERSIONS[name], verified
    earlier, version = shop.history("staging")[-1], shop.next_version()
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        yaml.safe_dump({"environments": {"staging": dict(faulty.settings)}}), encoding="utf-8"
    )
    shop.configure("staging", faulty.values(shop))
    options = (f"--version={version}", "--to=staging", f"--config={settings}", *WITHOUT_PREFLIGHT)
    with faulty.condition(shop):
        run = shop.run("release", *options, exit_code=faulty.exit_code)
    assert_failure(run, faulty)
    assert_evidence(Path(run.failure["evidence"]), faulty)
    assert shop.answer("staging")["page"] == "what worked"
    assert_restored(shop, earlier)
    began, failed, rolled_back = (
        run.wait_for(event, timeout_seconds=0)["at"]
        for event in (
            is_event("step-started", "deploy:staging"),
            is_event("step-progressed", text="failed: "),
            is_event("step-progressed", text="rolled back to "),
        )
    )
    warned = first_warning_at(shop, began, failed)
    record_property(
        "detected", f"{failed - warned:.1f} s after the warning, {failed - began:.1f} s after the start"
    )
    record_property("rolled back", f"{rolled_back - failed:.1f} s later")
    assert failed - warned < DETECTED_WITHIN_SECONDS + faulty.grace_seconds


def assert_failure(run: EngineRun, faulty: FaultyVersion) -> None:
    """Checks that the error names problem, cause and runbook."""
    failure = run.failure
    assert faulty.problem in failure["problem"]
    assert failure["problem"].endswith(f"[{faulty.cause}].")
    assert f"docs/runbooks/{faulty.cause}.md" in failure["remedy"]
    assert (ROOT / f"docs/runbooks/{faulty.cause}.md").is_file()


def assert_evidence(folder: Path, faulty: FaultyVersion) -> None:
    """Checks that the evidence has events of the version and the logs of its containers."""
    events = (folder / "events.txt").read_text(encoding="utf-8")
    assert "ScalingReplicaSet" in events
    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("logs/*.log"))
    assert faulty.log in logs


def assert_restored(shop: ShopClone, earlier: Mapping[str, Any]) -> None:
    """Checks that Helm, the records and every Deployment are at the earlier version."""
    history = shop.history("staging")
    assert [revision["status"] for revision in history[-2:]] == ["failed", "deployed"]
    assert history[-1]["app_version"] == earlier["app_version"]
    assert [record["result"] for record in shop.records("staging")[-2:]] == ["failed", "deployed"]
    statuses = [deployment["status"] for deployment in shop.objects("staging", "deployments")]
    assert len(statuses) == 2
    for status in statuses:
        assert status["readyReplicas"] == status["replicas"] == status["updatedReplicas"]
