"""Versions whose pods can never become ready: named within seconds, with evidence, and taken back."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from .mistakes import MISTAKES, UNCHECKED, Mistake
from .running import Run, tells
from .shopkeeper import Shop

ROOT = Path(__file__).resolve().parents[2]
TOLD_WITHIN = 15.0  # seconds after the cluster shows it, beside the time a cause is given to pass by itself


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


@pytest.fixture(scope="module")
def good(shop: Shop, sidecars: None, denying_registry: str) -> Shop:
    """The shop in staging, verified, and everything that the mistakes need."""
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


@pytest.mark.parametrize("name", MISTAKES)
def test_doomed_version_is_named_and_taken_back(
    good: Shop,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    name: str,
) -> None:
    """One cause with its own exit code, evidence of before the rollback, and the old version serves again."""
    mistake, shop = MISTAKES[name], good
    earlier, version = shop.history("staging")[-1], shop.next_version()
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        yaml.safe_dump({"environments": {"staging": dict(mistake.settings)}}), encoding="utf-8"
    )
    shop.configure("staging", mistake.values(shop))
    options = (f"--version={version}", "--to=staging", f"--config={settings}", *UNCHECKED)
    with mistake.given(shop):
        run = shop.run("release", *options, code=mistake.code)
    assert_told(run, mistake)
    assert_evidence(Path(run.failure["evidence"]), mistake)
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
    assert failed - shown < TOLD_WITHIN + mistake.grace_seconds


def assert_told(run: Run, mistake: Mistake) -> None:
    """One error: what, which cause, what to do, and the page that says more."""
    failure = run.failure
    assert mistake.says in failure["problem"]
    assert failure["problem"].endswith(f"[{mistake.cause}].")
    assert f"docs/runbooks/{mistake.cause}.md" in failure["remedy"]
    assert (ROOT / f"docs/runbooks/{mistake.cause}.md").is_file()


def assert_evidence(folder: Path, mistake: Mistake) -> None:
    """What the rollback wiped away: events and pods of the version, and what its containers wrote."""
    events = (folder / "events.txt").read_text(encoding="utf-8")
    assert "ScalingReplicaSet" in events
    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("logs/*.log"))
    assert mistake.log in logs


def assert_restored(shop: Shop, earlier: Mapping[str, Any]) -> None:
    """Helm, the records and every Deployment are where they were before."""
    history = shop.history("staging")
    assert [one["status"] for one in history[-2:]] == ["failed", "deployed"]
    assert history[-1]["app_version"] == earlier["app_version"]
    assert [one["result"] for one in shop.records("staging")[-2:]] == ["failed", "deployed"]
    for one in shop.objects("staging", "deployments"):
        assert one["status"]["readyReplicas"] == one["status"]["replicas"] == one["status"]["updatedReplicas"]
