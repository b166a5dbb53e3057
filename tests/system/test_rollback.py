"""Going back, by command and by itself, and what the commands that only look say meanwhile."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from . import standin
from .running import tells, wait_until
from .shopkeeper import ENVIRONMENTS, Shop

ROLLED_BACK_WITHIN = 30.0
ASKED_EVERY = 0.05
Measure = Callable[[str, object], None]


@pytest.fixture(scope="module")
def released(shop: Shop) -> Shop:
    """0.1.0 and 0.2.0, which has other images of both services, were verified in both environments."""
    shop.change("web", "one")
    shop.change("api", "one")
    shop.run("release", f"--version={shop.next_version()}")
    shop.change("web", "two")
    shop.change("api", "two")
    shop.run("release", f"--version={shop.next_version()}")
    return shop


def pages(shop: Shop, environment: str = "staging") -> tuple[str, str]:
    """What web and api show."""
    return shop.answer(environment, "/web")["page"], shop.answer(environment, "/api")["page"]


def go_back(shop: Shop, measure: Measure, *arguments: str) -> None:
    """Roll staging back, and measure the whole command."""
    began = time.monotonic()
    shop.run("rollback", "--env=staging", *arguments)
    seconds = time.monotonic() - began
    measure("rolled back in", f"{seconds:.1f} s")
    assert seconds < ROLLED_BACK_WITHIN


def test_rollback_goes_to_the_last_verified_version(released: Shop, record_property: Measure) -> None:
    """Without a version it is the one before, everything of it; production stays as it is."""
    go_back(released, record_property)
    assert pages(released) == ("one", "one")
    assert pages(released, "production") == ("two", "two")
    assert released.records("staging")[-1]["version"] == "0.1.0"
    assert released.records("staging")[-1]["result"] == "verified"


def test_rollback_goes_to_a_version_by_its_name(released: Shop, record_property: Measure) -> None:
    """Also forwards again, to what was verified once."""
    go_back(released, record_property, "--version=0.2.0")
    assert pages(released) == ("two", "two")


def test_rollback_of_one_service_leaves_the_other(released: Shop, record_property: Measure) -> None:
    """Web shows what it did in 0.1.0; the pods of api are the same as before."""
    go_back(released, record_property, "--version=0.2.0")
    before = {one["metadata"]["name"] for one in released.objects("staging", "pods")}
    go_back(released, record_property, "--service=web", "--version=0.1.0")
    assert pages(released) == ("one", "two")
    after = {one["metadata"]["name"] for one in released.objects("staging", "pods")}
    assert {name for name in after & before if "-api-" in name} == {name for name in after if "-api-" in name}


def test_rollback_runs_no_migration_of_the_past(released: Shop) -> None:
    """The hook fails where the page is newer than it, as migrations do that meet a newer database."""
    look = f"urlopen('http://{released.namespace('staging')}-web/web').read()"
    command = f"from urllib.request import urlopen; import sys; sys.exit(b'newer' in {look})"
    hook = {"hook": {"events": "pre-upgrade", "command": ["python", "-c", command]}}
    released.configure("staging", hook)
    for page in ("older", "newer"):
        released.change("web", page)
        released.run("release", f"--version={released.next_version()}", "--to=staging")
    released.wait_for_page("staging", "newer")
    released.configure("staging", {})
    released.run("rollback", "--env=staging")
    released.wait_for_page("staging", "older")


def test_rollback_to_an_image_that_is_gone_is_refused(released: Shop) -> None:
    """Nothing is changed; the message says which images the registry lost."""
    released.change("api", "three")
    version = released.next_version()
    released.run("release", f"--version={version}", "--to=staging")
    released.change("api", "four")
    released.run("release", f"--version={released.next_version()}", "--to=staging")
    digest = released.digest("api", f"v{version}")
    httpx2.delete(released.manifest_url("api", digest)).raise_for_status()
    before = released.history("staging")
    run = released.run("rollback", "--env=staging", f"--version={version}", code=7)
    assert f"no longer has the images of {version}: api" in run.failure["problem"]
    assert released.history("staging") == before


def test_status_and_history_say_what_runs_and_what_ran(released: Shop) -> None:
    """The rows are what Helm, the Deployments and the records say."""
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


def test_logs_are_those_of_the_pods(released: Shop) -> None:
    """Each line with its pod and container."""
    run = released.run("logs", "--env=production", "--service=web")
    lines = [told["text"] for told in run.told if told["event"] == "said"]
    assert any(re.fullmatch(r"shop-rollback-production-web-\S+ web \| web serves", line) for line in lines)
    assert [line for line in lines if "-api-" in line] == []


def test_diagnosis_names_what_hands_have_broken(released: Shop) -> None:
    """Everything is well until somebody sets an image that is not there; the cause is named."""
    workload = released.workload("production", "web")
    target = f"--namespace={released.namespace('production')}"
    well = released.run("diagnose", "--env=production")
    assert well.steps("failed") == []
    released.kubectl("set", "image", workload, f"web={released.registry}/web:gone", target)
    wait_until(
        lambda: "web:gone" in released.kubectl("get", "events", target, "--field-selector=reason=Failed"),
        timeout_seconds=30,
        what="the kubelet to see that the image is gone",
    )
    sick = released.run("diagnose", "--env=production", code=21)
    assert "web:gone" in sick.failure["problem"]
    assert "web:gone" in (Path(sick.failure["evidence"]) / "events.txt").read_text(encoding="utf-8")
    row = {row["environment"]: row for row in released.table("status")}["production"]
    assert row["state"] == "not ready"
    released.run("rollback", "--env=production", "--version=0.2.0")
    assert released.run("diagnose", "--env=production").steps("failed") == []


def test_failed_smoke_check_takes_the_version_back(released: Shop, record_property: Measure) -> None:
    """All pods are ready, the application is not well: the earlier version serves, the logs are kept."""
    earlier = released.history("staging")[-1]["app_version"]
    released.configure("staging", {"status": "broken"})
    run = released.run("release", f"--version={released.next_version()}", "--to=staging", code=13)
    assert "GET /web/healthz: 'status' is 'broken' instead of 'ok'" in run.failure["problem"]
    wait_until(
        lambda: released.answer("staging", "/web/healthz")["status"] == "ok",
        timeout_seconds=20,
        what="the earlier version to serve",
    )
    assert released.history("staging")[-1]["app_version"] == earlier
    logs = (Path(run.failure["evidence"]) / "logs").glob("*.log")
    assert any("/web/healthz" in path.read_text(encoding="utf-8") for path in logs)
    started, failed, back = (
        run.until(told, timeout_seconds=0)["at"]
        for told in (
            tells("step-started", "verify:staging"),
            tells("step-spoke", "verify:staging", "FAILED  GET /web/healthz"),
            tells("step-spoke", text="rolled back to "),
        )
    )
    record_property("told", f"{failed - started:.1f} s after the start of the checks")
    record_property("back", f"{back - failed:.1f} s later")


@dataclass
class Client:
    """Asks for a page all the time, each time over a new connection."""

    host: str
    answers: list[tuple[float, str]] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """It does while the block runs."""
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _ask(self) -> None:
        while not self._is_over.wait(ASKED_EVERY):
            began = time.monotonic()
            try:
                answer = httpx2.get(f"http://{standin.HTTP_ADDRESS}/web", headers={"host": self.host})
                said = answer.json()["page"] if answer.status_code == 200 else str(answer.status_code)
            except httpx2.HTTPError as error:
                said = repr(error)
            self.answers.append((time.monotonic() - began, said))


@pytest.mark.parametrize("replicas", [1, 2])
def test_good_release_is_noticed_by_nobody(released: Shop, record_property: Measure, replicas: int) -> None:
    """A client that asks all the time through the ingress gets every answer, old ones, then new ones."""
    old, new = f"old of {replicas}", f"new of {replicas}"
    released.configure("staging", {"drainSeconds": 6, "web": {"replicas": replicas}})
    released.change("web", old)
    released.run("release", f"--version={released.next_version()}", "--to=staging")
    released.wait_for_page("staging", old)
    released.change("web", new)
    client = Client(released.host("staging"))
    with client.asking():
        released.run("release", f"--version={released.next_version()}", "--to=staging")
        released.wait_for_page("staging", new)
    said = [answer for _, answer in client.answers]
    record_property("requests", len(said))
    record_property("failed", len([answer for answer in said if answer not in {old, new}]))
    record_property("slowest", f"{max(seconds for seconds, _ in client.answers) * 1000:.0f} ms")
    assert set(said) == {old, new}
    assert said[-1] == new
