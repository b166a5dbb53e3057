"""Releases whose versions are watched: the pods' metrics are real text, everything else is a double."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from todo_release import queries
from todo_release.adapters.kubernetes.client import ApiUnavailableError
from todo_release.config.model import SmokeSettings
from todo_release.environments.history import WATCH_PENDING
from todo_release.environments.smoke.result import CheckResult, SmokeTarget
from todo_release.errors import HealthError, PromotionError
from todo_release.pipeline.events import StepProgressed
from todo_release.pipeline.steps import WatchHealth

from ...doubles.clients import OLD_POD
from ...doubles.harness import NOW, Harness, killed_after
from ...shop import RELEASE_YAML, Tree

WATCH = "watch: {minutes: 0.01, at_least_minutes: 0, poll_seconds: 0.001, pods: {port: http}}\n"
NEW_POD = replace(
    OLD_POD,
    name="web-2-a",
    uid="uid-web-2-a",
    namespace="staging",
    is_terminating=False,
    created_at=NOW + timedelta(days=1),
    ports={"http": 8080, "admin": 9000},
)


class PodPage:
    """The metrics of a pod that answers some requests between two readings."""

    def __init__(self, answers: int = 0, failures: int = 0) -> None:
        """Takes how many requests it answers and fails before each reading."""
        self.answers, self.failures = answers, failures
        self.paths: list[str] = []
        self._registry = CollectorRegistry()
        self._counter = Counter("http_requests", "Requests.", ["status"], registry=self._registry)

    def __call__(self, path: str) -> str:
        """Returns the page."""
        self.paths.append(path)
        self._counter.labels("2xx").inc(self.answers)
        self._counter.labels("5xx").inc(self.failures)
        return generate_latest(self._registry).decode()


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness whose release.yaml watches versions; nothing was released."""
    tree.commit("watch", {"release.yaml": RELEASE_YAML + WATCH})
    return Harness(tree.path)


def released(harness: Harness, version: str, page: Callable[[str], str]) -> list[str]:
    """Releases a version whose one pod has such metrics; returns the steps that were done."""
    harness.cluster.pods = (NEW_POD,)
    harness.cluster.behind = page
    return harness.release(version)


def once_deployed(harness: Harness, page: PodPage) -> Callable[[str], str]:
    """Returns the page of a pod that answers well until its second version is deployed."""
    good = PodPage(answers=50)

    def answer(path: str) -> str:
        is_deployed = len(harness.helm["staging"].revisions) > 1
        return page(path) if is_deployed else good(path)

    return answer


def lines(harness: Harness) -> list[str]:
    """Returns what the watches of the last run said."""
    events = [event for event in harness.events if isinstance(event, StepProgressed)]
    return [event.text for event in events if isinstance(event.step, WatchHealth)]


def test_healthy_version_is_watched_in_each_environment_after_its_verification(harness: Harness) -> None:
    """The watch of staging comes before production, and both are recorded."""
    page = PodPage(answers=50)
    steps = released(harness, "0.1.0", page)
    assert [step for step in steps if step.startswith(("verify", "watch", "deploy"))] == [
        "deploy:staging", "verify:staging", "watch:staging",
        "deploy:production", "verify:production", "watch:production",
    ]  # fmt: skip
    assert page.paths[0] == "api/v1/namespaces/staging/pods/web-2-a:8080/proxy/metrics"
    for environment in ("staging", "production"):
        (record,) = harness.records(environment).read()
        assert (record.result, record.watch) == ("verified", "healthy")
        assert "watch" in record.seconds
    assert lines(harness)[-1].startswith("healthy: ")


def test_finished_release_watches_nothing_again(harness: Harness) -> None:
    """The watch is done when its record says so."""
    released(harness, "0.1.0", PodPage(answers=50))
    assert harness.release("0.1.0") == []
    assert harness.session.plan_release("0.1.0").is_finished


def test_version_that_fails_after_its_verification_is_taken_back(harness: Harness, tree: Tree) -> None:
    """The earlier version runs again, production never got the failing one, and no promotion accepts it."""
    released(harness, "0.1.0", PodPage(answers=50))
    tree.commit("bug", {"web/index.js": "bug\n"})
    with pytest.raises(HealthError, match=r"then failed: new pods failed 4 of 8 requests\.") as failed:
        released(harness, "0.2.0", once_deployed(harness, PodPage(answers=4, failures=4)))
    assert failed.value.code == 19
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]
    assert [(revision.app_version, revision.status) for revision in harness.helm["staging"].revisions] == [
        ("0.1.0", "superseded"), ("0.2.0", "failed"), ("0.1.0", "deployed"),
    ]  # fmt: skip
    assert len(harness.helm["production"].revisions) == 1
    assert [record.result for record in harness.records("staging").read()] == [
        "verified", "failed", "deployed",
    ]  # fmt: skip
    text = (Path(failed.value.evidence or "") / "watch.txt").read_text()
    assert "failing: new pods failed 4 of 8 requests" in text
    plan = harness.session.plan_promotion("0.2.0")
    assert any(isinstance(refusal, PromotionError) for refusal in plan.refusals)


def test_evidence_that_cannot_be_written_prevents_no_rollback(harness: Harness, tree: Tree) -> None:
    """A full disk or a folder of another user is no reason to leave a failing version running."""
    released(harness, "0.1.0", PodPage(answers=50))
    tree.commit("bug", {"web/index.js": "bug\n"})
    folder = tree.path / ".release/0.2.0/evidence"
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be\n")
    with pytest.raises(HealthError) as failed:
        released(harness, "0.2.0", once_deployed(harness, PodPage(answers=4, failures=4)))
    assert failed.value.__notes__ == ["rolled back to 0.1.0 (revision 1)"]


def test_version_that_fails_as_the_one_before_did_is_kept(harness: Harness, tree: Tree) -> None:
    """Pods failed alike between preflight and deployment, so something else is the cause."""
    released(harness, "0.1.0", PodPage(answers=50))
    tree.commit("change", {"web/index.js": "change\n"})
    released(harness, "0.2.0", PodPage(answers=4, failures=4))
    assert [record.watch for record in harness.records("staging").read()] == ["healthy", "dependency"]
    assert ", and so it was without this version (" in lines(harness)[-1]


def test_version_without_traffic_is_released_with_a_note(harness: Harness) -> None:
    """No traffic is no reason to go back, and the record says that nothing was proved."""
    released(harness, "0.1.0", PodPage(answers=0))
    assert harness.records("production").read()[0].watch == "too-little-traffic"
    assert lines(harness)[-1].startswith("too-little-traffic: too little traffic to judge it: 0 answers")


def test_source_that_is_away_is_a_warning(harness: Harness) -> None:
    """A release does not depend on monitoring."""

    def away(path: str) -> str:
        raise ApiUnavailableError(f"{path} did not answer.", remedy="Wait.")

    harness.cluster.pods, harness.cluster.behind = (NEW_POD,), away
    harness.release("0.1.0")
    assert harness.records("production").read()[0].watch == "source-away"
    assert "did not answer" in lines(harness)[-1]


def test_pods_without_the_port_are_named(harness: Harness) -> None:
    """A wrong port in release.yaml is said, not taken for silence."""
    harness.cluster.pods = (replace(NEW_POD, ports={"web": 80}),)
    harness.release("0.1.0")
    assert "no container has a port 'http'" in lines(harness)[-1]


def test_deployment_without_new_pods_is_not_watched(harness: Harness) -> None:
    """Pods that are older than the deployment say nothing about it."""
    harness.cluster.pods = (replace(NEW_POD, created_at=NOW - timedelta(days=1)),)
    harness.release("0.1.0")
    assert harness.records("production").read()[0].watch == "nothing-new"


def test_interrupted_watch_keeps_the_version_from_production(harness: Harness) -> None:
    """A promotion is refused until the watch has ended; the same command again only watches."""
    harness.cluster.pods, harness.cluster.behind = (NEW_POD,), PodPage(answers=50)
    with killed_after(harness, "~watch:staging"):
        released(harness, "0.1.0", PodPage(answers=50))
    assert harness.records("staging").read()[0].watch == WATCH_PENDING
    refusals = harness.session.plan_promotion("0.1.0").refusals
    assert [type(refusal) for refusal in refusals] == [PromotionError]
    assert [step for step in harness.release("0.1.0") if step.endswith(":staging")] == ["watch:staging"]
    assert harness.records("staging").read()[0].watch == "healthy"


def test_watch_that_release_yaml_no_longer_wants_keeps_nothing_from_production(harness: Harness) -> None:
    """Nothing would ever end it, so the verification counts alone."""
    with killed_after(harness, "~watch:staging"):
        released(harness, "0.1.0", PodPage(answers=50))
    unwatched = harness.config.watch.model_copy(update={"minutes": None})
    harness.config = harness.config.model_copy(update={"watch": unwatched})
    assert harness.session.plan_promotion("0.1.0").refusals == ()
    assert "deploy:production" in harness.release("0.1.0")


@pytest.mark.parametrize(("hours", "health"), [(0.5, None), (30, "healthy")])
def test_failures_of_a_day_ago_take_no_version_back(
    harness: Harness, hours: float, health: str | None
) -> None:
    """A watch that goes on the next morning judges what it sees itself; one that goes on at once sees all."""
    page = PodPage(answers=50)
    with killed_after(harness, "~watch:staging"):
        released(harness, "0.1.0", page)
    outage = PodPage(answers=50, failures=50)
    outage("while nobody watched")
    outage.failures = 0
    harness.cluster.behind = outage
    harness.now = NOW + timedelta(hours=hours)
    if health is None:
        with pytest.raises(HealthError, match="new pods failed 50 of"):
            harness.release("0.1.0")
    else:
        harness.release("0.1.0")
        assert harness.records("staging").read()[0].watch == health


def test_smoke_checks_make_traffic_where_release_yaml_wants_it(harness: Harness, tree: Tree) -> None:
    """Failed checks are said; the pods' counters decide."""
    tree.commit(
        "traffic", {"release.yaml": RELEASE_YAML + WATCH.replace("pods:", "smoke_seconds: 60, pods:")}
    )
    harness, page, runs = Harness(tree.path), PodPage(), list[float]()

    def run_smoke(settings: SmokeSettings, _target: SmokeTarget, _say: object) -> list[CheckResult]:
        runs.append(settings.timeout_seconds)
        page.answers = 70 if len(runs) > 1 else 0
        return [CheckResult("home", len(runs) == 1, "500", 0.1)]

    harness.cluster.pods, harness.cluster.behind = (NEW_POD,), page
    session = replace(harness.session, run_smoke=run_smoke)
    session.run(session.plan_release("0.1.0", "staging"), harness.events.append)
    assert runs == [60, 0]  # those of the verification are repeated, those of the watch are not
    assert lines(harness)[0] == "smoke check home: 500"
    assert lines(harness)[-1].startswith("healthy: 70 answers")


def test_rollback_by_a_person_is_not_watched(harness: Harness, tree: Tree) -> None:
    """Who goes back wants to be done; the version has worked here before."""
    released(harness, "0.1.0", PodPage(answers=50))
    tree.commit("change", {"web/index.js": "change\n"})
    released(harness, "0.2.0", PodPage(answers=50))
    steps = harness.session.plan_rollback("production", None).steps
    assert [step.kind for step in steps] == ["confirm", "deploy", "verify"]


def test_watch_on_request_reads_the_same_and_records_nothing(harness: Harness) -> None:
    """What fails is said, and stays: nobody has asked to go back."""
    released(harness, "0.1.0", PodPage(answers=50))
    before, said = harness.cluster.writes, list[str]()
    harness.cluster.behind = PodPage(answers=4, failures=4)
    verdict = queries.watch(harness.session.context, "staging", 0.01, said.append)
    assert verdict.is_failing
    assert said[0].endswith("8 answers of new pods, 4 failed, 0 restarts")
    assert harness.cluster.writes == before
    assert harness.records("staging").read()[0].watch == "healthy"


def test_watch_on_request_needs_something_that_runs(harness: Harness) -> None:
    """The error names the command that deploys."""
    with pytest.raises(HealthError, match="inv deploy --env staging"):
        queries.watch(harness.session.context, "staging", None, pytest.fail)


def test_history_shows_how_a_watch_ended(harness: Harness) -> None:
    """The verdict stands beside the result."""
    released(harness, "0.1.0", PodPage(answers=50))
    (row,) = queries.history(harness.session.context, "staging").rows
    assert row[2] == "verified, healthy"
