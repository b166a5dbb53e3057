"""Rollbacks by command and after failed checks, and the commands that only read: status, history, logs."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from . import running_cluster
from .engine_run import is_event, wait_until
from .shop_clone import ENVIRONMENTS, ShopClone

ROLLED_BACK_WITHIN_SECONDS = 30.0
REQUEST_INTERVAL_SECONDS = 0.05
Measure = Callable[[str, object], None]


@pytest.fixture(scope="module")
def released(shop: ShopClone) -> ShopClone:
    """0.1.0 and 0.2.0, whose images differ, were both verified in both environments."""
    shop.change("web", "one")
    shop.change("api", "one")
    shop.run("release", f"--version={shop.next_version()}")
    shop.change("web", "two")
    shop.change("api", "two")
    shop.run("release", f"--version={shop.next_version()}")
    return shop


def pages(shop: ShopClone, environment: str = "staging") -> tuple[str, str]:
    """Returns the pages of web and api."""
    return shop.answer(environment, "/web")["page"], shop.answer(environment, "/api")["page"]


def roll_back(shop: ShopClone, measure: Measure, *arguments: str) -> None:
    """Rolls staging back and checks how long the command takes."""
    began = time.monotonic()
    shop.run("rollback", "--env=staging", *arguments)
    seconds = time.monotonic() - began
    measure("rolled back in", f"{seconds:.1f} s")
    assert seconds < ROLLED_BACK_WITHIN_SECONDS


def test_rollback_goes_to_the_last_verified_version(released: ShopClone, record_property: Measure) -> None:
    """Without `--version` all services of staging return to the version before; production stays."""
    roll_back(released, record_property)
    assert pages(released) == ("one", "one")
    assert pages(released, "production") == ("two", "two")
    assert released.records("staging")[-1]["version"] == "0.1.0"
    assert released.records("staging")[-1]["result"] == "verified"


def test_rollback_goes_to_a_named_version(released: ShopClone, record_property: Measure) -> None:
    """The named version may also be a later one that was verified."""
    roll_back(released, record_property, "--version=0.2.0")
    assert pages(released) == ("two", "two")


def test_rollback_of_one_service_leaves_the_other(released: ShopClone, record_property: Measure) -> None:
    """Web shows the page of 0.1.0, and the pods of api are the same as before."""
    roll_back(released, record_property, "--version=0.2.0")
    before = {pod["metadata"]["name"] for pod in released.objects("staging", "pods")}
    roll_back(released, record_property, "--service=web", "--version=0.1.0")
    assert pages(released) == ("one", "two")
    after = {pod["metadata"]["name"] for pod in released.objects("staging", "pods")}
    assert {name for name in after & before if "-api-" in name} == {name for name in after if "-api-" in name}


def test_rollback_runs_no_migration_of_the_earlier_version(released: ShopClone) -> None:
    """The hook of the earlier version fails on the newer page, as a migration does on a newer database."""
    page = f"urlopen('http://{released.namespace('staging')}-web/web').read()"
    command = f"from urllib.request import urlopen; import sys; sys.exit(b'newer' in {page})"
    hook = {"hook": {"events": "pre-upgrade", "command": ["python", "-c", command]}}
    released.configure("staging", hook)
    for page in ("older", "newer"):
        released.change("web", page)
        released.run("release", f"--version={released.next_version()}", "--to=staging")
    released.wait_for_page("staging", "newer")
    released.configure("staging", {})
    released.run("rollback", "--env=staging")
    released.wait_for_page("staging", "older")


def test_rollback_to_a_deleted_image_is_refused(released: ShopClone) -> None:
    """Nothing changes, and the message names the images that the registry no longer has."""
    released.change("api", "three")
    version = released.next_version()
    released.run("release", f"--version={version}", "--to=staging")
    released.change("api", "four")
    released.run("release", f"--version={released.next_version()}", "--to=staging")
    digest = released.digest("api", f"v{version}")
    httpx2.delete(released.manifest_url("api", digest)).raise_for_status()
    before = released.history("staging")
    run = released.run("rollback", "--env=staging", f"--version={version}", exit_code=7)
    assert f"no longer has the images of {version}: api" in run.failure["problem"]
    assert released.history("staging") == before


def test_status_and_history_show_present_and_earlier_versions(released: ShopClone) -> None:
    """The rows agree with Helm, the Deployments and the records."""
    rows = {row["environment"]: row for row in released.table("status")}
    for environment in ENVIRONMENTS:
        last = released.history(environment)[-1]
        row = rows[environment]
        assert (row["version"], row["revision"]) == (last["app_version"], str(last["revision"]))
        assert (row["state"], row["verified"]) == ("ready", "yes")
    history = released.table("history", "--env=production")
    assert [(row["revision"], row["version"], row["result"]) for row in history] == [
        ("2", "0.2.0", "verified"),
        ("1", "0.1.0", "verified"),
    ]
    assert [row["images"] for row in history] == ["api, web", "all"]


def test_logs_show_the_lines_of_the_service(released: ShopClone) -> None:
    """Each line names its pod and container."""
    run = released.run("logs", "--env=production", "--service=web")
    lines = [event["text"] for event in run.events if event["event"] == "text"]
    assert any(re.fullmatch(r"shop-rollback-production-web-\S+ web \| web serves", line) for line in lines)
    assert [line for line in lines if "-api-" in line] == []


def test_diagnose_names_the_cause_of_a_manual_change(released: ShopClone) -> None:
    """The environment is healthy until a manual change sets a missing image, which the command names."""
    workload = released.workload("production", "web")
    target = f"--namespace={released.namespace('production')}"
    healthy = released.run("diagnose", "--env=production")
    assert healthy.steps("failed") == []
    released.kubectl("set", "image", workload, f"web={released.registry}/web:gone", target)
    wait_until(
        lambda: "web:gone" in released.kubectl("get", "events", target, "--field-selector=reason=Failed"),
        timeout_seconds=30,
        what="the kubelet reports the missing image",
    )
    failed = released.run("diagnose", "--env=production", exit_code=21)
    assert "web:gone" in failed.failure["problem"]
    assert "web:gone" in (Path(failed.failure["evidence"]) / "events.txt").read_text(encoding="utf-8")
    row = {row["environment"]: row for row in released.table("status")}["production"]
    assert row["state"] == "not ready"
    released.run("rollback", "--env=production", "--version=0.2.0", "--overwrite-edits")
    assert released.run("diagnose", "--env=production").steps("failed") == []


def test_failed_smoke_check_rolls_back(released: ShopClone, record_property: Measure) -> None:
    """All pods are ready but a check fails: the earlier version serves again, and the logs are kept."""
    earlier = released.history("staging")[-1]["app_version"]
    released.configure("staging", {"status": "broken"})
    run = released.run("release", f"--version={released.next_version()}", "--to=staging", exit_code=13)
    assert "GET /web/healthz: 'status' is 'broken' instead of 'ok'" in run.failure["problem"]
    wait_until(
        lambda: released.answer("staging", "/web/healthz")["status"] == "ok",
        timeout_seconds=20,
        what="the earlier version serves",
    )
    assert released.history("staging")[-1]["app_version"] == earlier
    logs = (Path(run.failure["evidence"]) / "logs").glob("*.log")
    assert any("/web/healthz" in path.read_text(encoding="utf-8") for path in logs)
    started, failed, rolled_back = (
        run.wait_for(event, timeout_seconds=0)["at"]
        for event in (
            is_event("step-started", "verify:staging"),
            is_event("step-progressed", "verify:staging", "FAILED  GET /web/healthz"),
            is_event("step-progressed", text="rolled back to "),
        )
    )
    record_property("detected", f"{failed - started:.1f} s after the start of the checks")
    record_property("rolled back", f"{rolled_back - failed:.1f} s later")


@dataclass
class Client:
    """Requests a page continuously, each time over a new connection; `answers` has seconds and page."""

    host: str
    answers: list[tuple[float, str]] = field(default_factory=list)
    _is_stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sends requests while the block runs."""
        thread = threading.Thread(target=self._request)
        thread.start()
        try:
            yield
        finally:
            self._is_stopped.set()
            thread.join()

    def _request(self) -> None:
        while not self._is_stopped.wait(REQUEST_INTERVAL_SECONDS):
            began = time.monotonic()
            try:
                answer = httpx2.get(f"http://{running_cluster.HTTP_ADDRESS}/web", headers={"host": self.host})
                page = answer.json()["page"] if answer.status_code == 200 else str(answer.status_code)
            except httpx2.HTTPError as error:
                page = repr(error)
            self.answers.append((time.monotonic() - began, page))


@pytest.mark.parametrize("replicas", [1, 2])
def test_good_release_loses_no_request(released: ShopClone, record_property: Measure, replicas: int) -> None:
    """A client that sends requests through the ingress all the time gets old pages, then new ones."""
    old, new = f"old of {replicas}", f"new of {replicas}"
    released.configure("staging", {"drainSeconds": 6, "web": {"replicas": replicas}})
    released.change("web", old)
    released.run("release", f"--version={released.next_version()}", "--to=staging")
    released.wait_for_page("staging", old)
    released.change("web", new)
    client = Client(released.host("staging"))
    with client.running():
        released.run("release", f"--version={released.next_version()}", "--to=staging")
        released.wait_for_page("staging", new)
    pages_seen = [page for _, page in client.answers]
    record_property("requests", len(pages_seen))
    record_property("failed", len([page for page in pages_seen if page not in {old, new}]))
    record_property("slowest", f"{max(seconds for seconds, _ in client.answers) * 1000:.0f} ms")
    assert set(pages_seen) == {old, new}
    assert pages_seen[-1] == new
