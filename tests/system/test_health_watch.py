"""Versions that are watched after their verification, by the counters of their real pods.

The pods are asked through the API server, and the smoke checks make the traffic.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .engine_run import EngineRun, is_event
from .shop_clone import ShopClone

WATCH = {
    "minutes": 2,
    "at_least_minutes": 0,
    "poll_seconds": 1,
    "smoke_seconds": 1,
    "requests": {"exclude": {"handler": ["/healthz"]}},
}
STEP = "watch:staging"
FAIL_AFTER = 4  # of which the verification takes one


@pytest.fixture(scope="module")
def watched(shop: ShopClone) -> ShopClone:
    """The shop, verified in staging."""
    shop.change("web", "what worked")
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    return shop


def release(shop: ShopClone, folder: Path, watch: Mapping[str, Any], exit_code: int = 0) -> EngineRun:
    """Releases the next version to staging and watches it."""
    settings = folder / "watch.yaml"
    settings.write_text(yaml.safe_dump({"watch": dict(watch)}), encoding="utf-8")
    options = (f"--version={shop.next_version()}", "--to=staging", f"--config={settings}")
    return shop.run("release", *options, exit_code=exit_code)


def watch_seconds(run: EngineRun) -> float:
    """Returns the time from the start of the watch to the verdict."""
    began = run.wait_for(is_event("step-started", STEP), timeout_seconds=0)["at"]
    return float(run.wait_for(is_event("step-progressed", STEP, "ing: "), timeout_seconds=0)["at"] - began)


def test_version_that_answers_well_passes_its_watch(
    watched: ShopClone, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Some 65 answers without a failure are enough."""
    watched.change("web", "what works too")
    run = release(watched, tmp_path, WATCH)
    assert STEP in run.executed_steps
    record = watched.records("staging")[-1]
    assert (record["result"], record["watch"]) == ("verified", "healthy")
    record_property("watched", f"{record['seconds']['watch']:.1f} s")


def test_version_that_fails_after_its_smoke_checks_is_taken_back(
    watched: ShopClone, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The smoke checks passed; then the page answers 500, and the version before is restored."""
    earlier = watched.history("staging")[-1]
    watched.configure("staging", {"failAfter": FAIL_AFTER})
    run = release(watched, tmp_path, WATCH, exit_code=19)
    record_property("failing after", f"{watch_seconds(run):.1f} s")
    assert "verify:staging" in run.executed_steps
    assert "then failed: new pods failed" in run.failure["problem"]
    assert "failing: " in (Path(run.failure["evidence"]) / "watch.txt").read_text(encoding="utf-8")
    history = watched.history("staging")
    assert [revision["status"] for revision in history[-2:]] == ["failed", "deployed"]
    assert history[-1]["app_version"] == earlier["app_version"]
    assert [record["result"] for record in watched.records("staging")[-2:]] == ["failed", "deployed"]
    for _ in range(FAIL_AFTER + 2):
        assert watched.answer("staging")["page"] == "what works too"


def test_version_without_traffic_is_kept_with_a_note(watched: ShopClone, tmp_path: Path) -> None:
    """A watch without requests says that it proved nothing."""
    watched.configure("staging", {})
    watched.change("web", "what nobody asks for")
    run = release(watched, tmp_path, {**WATCH, "minutes": 0.2, "smoke_seconds": None})
    assert any(note.startswith("too-little-traffic: ") for note in run.notes)
    assert watched.records("staging")[-1]["watch"] == "too-little-traffic"


def test_port_that_no_pod_has_is_a_warning(watched: ShopClone, tmp_path: Path) -> None:
    """A source that is away keeps no version from its environment."""
    watched.change("web", "what cannot be read")
    run = release(watched, tmp_path, {**WATCH, "minutes": 0.1, "pods": {"port": "metrics"}})
    assert any("no container has a port 'metrics'" in note for note in run.notes)
    assert watched.records("staging")[-1]["watch"] == "source-away"


def test_watch_by_hand_changes_nothing(watched: ShopClone, tmp_path: Path) -> None:
    """`inv watch` reads the same and writes no record, Event or Lease."""
    settings = tmp_path / "watch.yaml"
    settings.write_text(yaml.safe_dump({"watch": {**WATCH, "minutes": 0.1}}), encoding="utf-8")
    before = watched.state()
    run = watched.run("watch", "--env=staging", f"--config={settings}")
    assert any("answers of new pods" in event.get("text", "") for event in run.events)
    assert watched.state() == before


def test_deployments_are_marked_by_events(watched: ShopClone) -> None:
    """The ConfigMap with the records shows what was released and what was taken back."""
    reasons = [
        event["reason"]
        for event in watched.objects("staging", "events")
        if event["involvedObject"]["kind"] == "ConfigMap"
    ]
    assert reasons.count("RolledBack") == 1
    assert reasons.count("Released") >= len(watched.history("staging")) - 1
