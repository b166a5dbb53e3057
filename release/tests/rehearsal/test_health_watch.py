"""A whole release with the real Helm and API server whose pods, after they were verified, fail requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.errors import ApiError
from todo_release.config.health_watch import HealthWatchSettings
from todo_release.errors import HealthError
from todo_release.pipeline.events import RunEvent, StepProgressed, StepStarted
from todo_release.pipeline.steps import WatchHealth
from todo_release.rehearsal.sandbox import Sandbox, open_sandbox
from todo_release.session import Session

from ..doubles.pod_server import address, serve
from ..shop import Tree
from .deployable_shop import LINES, TEMPLATES, open_shop
from .shared_control_plane import SharedControlPlane

WATCH = HealthWatchSettings(minutes=0.5, at_least_minutes=0, poll_seconds=0.2)
POLL_SECONDS = 0.2
TEMPLATE = "chart/templates/web.yaml"


class Page:
    """The metrics of all pods; between two readings so many requests are answered and failed."""

    def __init__(self) -> None:
        """Answers well."""
        self.answers, self.failures = 40, 0
        self._registry = CollectorRegistry()
        self._counter = Counter("http_requests", "Requests.", ["status"], registry=self._registry)

    def __call__(self, path: str) -> tuple[int, str, str]:
        """Returns the page."""
        self._counter.labels("200").inc(self.answers)
        self._counter.labels("500").inc(self.failures)
        return 200, "text/plain; version=0.0.4", generate_latest(self._registry).decode()


@pytest.fixture
def page() -> Page:
    """The metrics of the pods."""
    return Page()


@pytest.fixture
def sandbox(shop: Tree, page: Page, on_shared_plane: SharedControlPlane) -> Iterator[Sandbox]:
    """Opens a sandbox in which the pods of web have the address and port of a server of this test."""
    with serve(page) as port:
        ports = f"          ports: [{{name: http, containerPort: {port}}}]\n          env:\n"
        shop.commit("port", {TEMPLATE: TEMPLATES[TEMPLATE].replace("          env:\n", ports)})
        with open_shop(shop) as session, open_sandbox(session, LINES, None) as opened:
            yield opened


@contextmanager
def addresses(api: ApiClient, namespace: str) -> Iterator[None]:
    """Gives every pod of a namespace this machine's address while the block runs."""
    is_over, target = threading.Event(), address()

    def give() -> None:
        while not is_over.wait(POLL_SECONDS):
            for pod in api.items(f"api/v1/namespaces/{namespace}/pods"):
                if pod["status"].get("podIP", target) != target:
                    path = f"api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
                    try:
                        api.merge(path, {"status": {"podIP": target, "podIPs": [{"ip": target}]}})
                    except ApiError:  # the pod is gone, or its kubelet was quicker: the next round has it
                        continue

    thread = threading.Thread(target=give)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def staging(sandbox: Sandbox) -> Iterator[Session]:
    """Opens a session of staging alone that watches versions."""
    with sandbox.context.session("staging") as session:
        config = session.context.config
        environment = config.environment("staging").model_copy(update={"watch": WATCH})
        config = config.model_copy(update={"environments": {"staging": environment}})
        connect = session.context.connect
        context = replace(
            session.context,
            config=config,
            connect=lambda name: replace(connect(name), settings=config.environment(name)),
        )
        with addresses(sandbox.plane.api, environment.namespace):
            yield replace(session, context=context)


def test_version_that_fails_requests_is_taken_back(sandbox: Sandbox, page: Page) -> None:
    """The first version proves healthy; the second passes its verification, fails, and is rolled back."""
    said: list[str] = []

    def listen(event: RunEvent) -> None:
        match event:
            case StepStarted(WatchHealth(version="0.2.0")):
                page.answers, page.failures = 4, 4
            case StepProgressed(WatchHealth(), text, _):
                said.append(text)

    with staging(sandbox) as session:
        session.run(session.plan_release("0.1.0"), listen)
        assert said[-1].startswith("healthy: ")
        Tree(Path(sandbox.context.scratch.tree)).commit("bug", {"web/index.js": "bug\n"})
        with pytest.raises(HealthError, match="then failed: new pods failed") as failed:
            session.run(session.plan_release("0.2.0"), listen)
        access = session.context.connect("staging")
        assert [(item.app_version, item.status) for item in access.helm.history(access.settings.release)] == [
            ("0.1.0", "superseded"), ("0.2.0", "failed"), ("0.1.0", "deployed"),
        ]  # fmt: skip
        results = [(record.result, record.watch) for record in access.records.read()]
        assert results == [("verified", "healthy"), ("failed", "failing"), ("deployed", None)]
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert "failing: new pods failed" in (Path(failed.value.evidence or "") / "watch.txt").read_text()
    events = sandbox.plane.api.items(f"api/v1/namespaces/{access.settings.namespace}/events")
    marks = [event["reason"] for event in events if event["involvedObject"]["kind"] == "ConfigMap"]
    assert sorted(marks) == ["Released", "Released", "RolledBack"]
