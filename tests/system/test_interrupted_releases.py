"""Interrupted releases: the same command again completes them, with the result of an undisturbed release."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from .engine_run import Condition, EngineRun, is_event, wait_until
from .shop_clone import ENVIRONMENTS, ShopClone

# GitHub ends a step of a cancelled job with SIGINT, SIGTERM after 7.5 s and SIGKILL after another 2.5 s.
SIGTERM_AFTER_SECONDS, SIGKILL_AFTER_SECONDS = 7.5, 2.5
# Every run checks the cluster again, and a confirmation is valid for one run only.
REPEATED_STEPS = ("preflight:", "confirm:")
SLOW_HOOK = {"hook": {"events": "pre-upgrade", "command": ["sleep", "30"]}}


@pytest.fixture(scope="module")
def undisturbed(shop: ShopClone) -> EngineRun:
    """The first release, which is not interrupted."""
    return shop.run("release", f"--version={shop.next_version()}")


@contextmanager
def slow_hook(shop: ShopClone, environment: str = "staging") -> Iterator[None]:
    """Makes Helm wait in a hook before it changes anything, and removes the hook afterwards."""
    shop.configure(environment, SLOW_HOOK)
    yield
    shop.configure(environment, {})


def status(shop: ShopClone, environment: str = "staging") -> str:
    """Returns the status of Helm's last revision."""
    history = shop.history(environment)
    return str(history[-1]["status"]) if history else "none"


def wait_for_status(shop: ShopClone, wanted: str, environment: str = "staging") -> None:
    """Waits until Helm's last revision has a status."""
    wait_until(lambda: status(shop, environment) == wanted, timeout_seconds=60, what=wanted)


def kill_points(run: EngineRun) -> dict[str, list[Condition]]:
    """Returns when to kill a release, by step: at its start, at its first progress, and after the last."""
    points: dict[str, list[Condition]] = {}
    for kind in ("step-started", "step-progressed"):
        for step in dict.fromkeys(run.steps(kind)):
            points.setdefault(step, []).append(is_event(kind, step))
    last = run.steps("step-ended")[-1]
    return points | {f"after {last}": [is_event("step-ended", last)]}


def revisions_of(shop: ShopClone, environment: str, version: str) -> list[dict[str, Any]]:
    """Returns the revisions of a version in Helm's history, oldest first."""
    return [revision for revision in shop.history(environment) if revision["app_version"] == version]


def records_of(shop: ShopClone, environment: str, version: str) -> list[dict[str, Any]]:
    """Returns the engine's records of a version, oldest first."""
    return [record for record in shop.records(environment) if record["version"] == version]


def assert_released(
    shop: ShopClone, version: str, page: str, before: str, environments: Sequence[str]
) -> None:
    """Checks that the version has everything that an undisturbed release makes, and each thing once."""
    commit = shop.git("rev-parse", f"v{version}^{{commit}}")
    assert shop.git("log", "--format=%s", f"{before}..v{version}") == f"release: {version}."
    assert shop.git("ls-remote", "origin", "main").split()[0] == commit
    assert shop.git("ls-remote", "origin", f"v{version}^{{}}").split()[0] == commit
    assert shop.git("status", "--porcelain") == ""
    for image in ("web", "api"):
        digests = {tag: shop.digest(image, tag) for tag in shop.tags(image)}
        tags = {tag for tag, digest in digests.items() if digest == digests[f"v{version}"]}
        content_tags = [tag for tag in tags if tag.startswith("content-")]
        assert tags == {f"v{version}", f"sha-{commit[:12]}", *content_tags}
        assert len(content_tags) == 1
    for environment in environments:
        *failed, last = revisions_of(shop, environment, version)
        assert last["status"] == "deployed"
        assert {revision["status"] for revision in failed} <= {"failed"}
        *earlier, record = records_of(shop, environment, version)
        assert (record["result"], record["revision"]) == ("verified", last["revision"])
        assert {record["result"] for record in earlier} <= {"failed"}
        shop.wait_for_page(environment, page)


def test_release_killed_in_any_step_is_completed_by_the_same_command(
    shop: ShopClone, undisturbed: EngineRun, subtests: pytest.Subtests
) -> None:
    """The engine and its children are killed twice in a step; the third run does the rest, each step once."""
    for number, (step, conditions) in enumerate(kill_points(undisturbed).items()):
        with subtests.test(step):
            page, version = f"killed {number}", shop.next_version()
            shop.change("web", page)
            shop.change("api", page)
            before = shop.git("rev-parse", "HEAD")
            last = "production" if step.endswith("production") else "staging"
            command = ["release", f"--version={version}", f"--to={last}"]
            executed: list[str] = []
            for kill_when in conditions:
                killed = shop.start(*command, kill_when=kill_when)
                assert killed.exit_code() == -signal.SIGKILL, killed
                executed += killed.executed_steps
            executed += shop.run(*command).executed_steps
            twice = [name for name in executed if executed.count(name) > 1]
            assert [name for name in twice if not name.startswith(REPEATED_STEPS)] == []
            assert_released(shop, version, page, before, ENVIRONMENTS[: ENVIRONMENTS.index(last) + 1])


def test_release_killed_while_pods_start_watches_the_same_revision(
    shop: ShopClone, undisturbed: EngineRun
) -> None:
    """Helm had applied the revision; another one would start the pods again."""
    version = shop.next_version()
    shop.configure("staging", {"web": {"container": {"readinessProbe": {"initialDelaySeconds": 6}}}})
    applied = is_event("step-progressed", "deploy:staging", "STATUS: deployed")
    killed = shop.start("release", f"--version={version}", "--to=staging", kill_when=applied)
    assert killed.exit_code() == -signal.SIGKILL, killed
    shop.run("release", f"--version={version}", "--to=staging")
    assert [revision["status"] for revision in revisions_of(shop, "staging", version)] == ["deployed"]
    assert [record["result"] for record in records_of(shop, "staging", version)] == ["verified"]
    shop.configure("staging", {})


def cancel(run: EngineRun) -> None:
    """Ends a run as GitHub ends a step of a cancelled job; SIGKILL goes to the step's whole process group."""
    run.send(signal.SIGINT)
    if not run.has_ended_within(SIGTERM_AFTER_SECONDS):
        run.send(signal.SIGTERM)
        run.has_ended_within(SIGKILL_AFTER_SECONDS)
    run.send(signal.SIGKILL, to_group=True)


def test_cancelled_release_ends_helm_and_frees_the_environment(
    shop: ShopClone, undisturbed: EngineRun
) -> None:
    """GitHub's signals reach the engine while Helm works: it ends in time and gives up the lock."""
    version = shop.next_version()
    with slow_hook(shop):
        run = shop.start("release", f"--version={version}", "--to=staging")
        wait_for_status(shop, "pending-upgrade")
        cancel(run)
        assert run.exit_code() == 130
    resumed = shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    assert [note for note in resumed.notes if note.startswith("waiting: ")] == []
    assert status(shop) == "deployed"
    assert shop.records("staging")[-1]["result"] == "verified"


def test_cancelled_shell_leaves_a_release_that_the_next_one_recovers(
    shop: ShopClone, undisturbed: EngineRun
) -> None:
    """The signals stop at the shell that runs the step; the engine and Helm are killed with the job."""
    version = shop.next_version()
    with slow_hook(shop):
        run = shop.start("release", f"--version={version}", "--to=staging", in_shell=True)
        wait_for_status(shop, "pending-upgrade")
        cancel(run)
        assert run.exit_code() == -signal.SIGTERM
        assert status(shop) == "pending-upgrade"
    resumed = shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    assert any("waiting: Rita <rita@example.com> on" in note for note in resumed.notes)
    assert any("was left pending-upgrade by a run that died; unlocked" in note for note in resumed.notes)
    assert status(shop) == "deployed"
    assert [record["result"] for record in shop.records("staging")[-2:]] == ["failed", "verified"]


def test_killed_helm_is_a_failed_deployment(shop: ShopClone, undisturbed: EngineRun) -> None:
    """When only Helm is killed, the engine reports it and restores the earlier version."""
    version, earlier = shop.next_version(), shop.history("staging")[-1]
    with slow_hook(shop):
        run = shop.start("release", f"--version={version}", "--to=staging")
        wait_for_status(shop, "pending-upgrade")
        run.kill_child("helm")
        assert run.exit_code() == 9
    note = f"rolled back to {earlier['app_version']} (revision {earlier['revision']})"
    assert run.failure["notes"] == [note]
    history = shop.history("staging")
    assert [revision["status"] for revision in history[-3:]] == ["superseded", "failed", "deployed"]
    assert history[-1]["app_version"] == earlier["app_version"]


@pytest.fixture
def slow_values(tmp_path: Path) -> str:
    """Values whose hook makes Helm wait in installs and rollbacks."""
    path = tmp_path / "slow.yaml"
    hook = {"events": "pre-install,pre-rollback", "command": ["sleep", "30"]}
    path.write_text(yaml.safe_dump({"hook": hook}), encoding="utf-8")
    return f"--values={path}"


def kill_helm(shop: ShopClone, pending: str, *arguments: str) -> None:
    """Starts Helm by hand and kills it when its revision has the pending status."""
    with shop.start_helm("staging", *arguments) as helm:
        wait_for_status(shop, pending)
        helm.kill()
    assert status(shop) == pending


def assert_next_release_recovers(shop: ShopClone, pending: str) -> None:
    """Checks that the next release unlocks Helm's release without deleting a Deployment."""
    before = deployment_ids(shop)
    run = shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    assert any(f"was left {pending} by a run that died; unlocked" in note for note in run.notes)
    assert status(shop) == "deployed"
    assert before <= deployment_ids(shop)


def deployment_ids(shop: ShopClone) -> set[str]:
    """Returns the UIDs of staging's Deployments."""
    return {deployment["metadata"]["uid"] for deployment in shop.objects("staging", "deployments")}


def test_helm_killed_in_an_upgrade_by_hand_does_not_block_the_next_release(
    shop: ShopClone, undisturbed: EngineRun, slow_values: str
) -> None:
    """Helm itself refuses every further command in this state."""
    events = "--set=hook.events=pre-upgrade"
    kill_helm(shop, "pending-upgrade", "upgrade", shop.namespace("staging"), "chart", slow_values, events)
    assert_next_release_recovers(shop, "pending-upgrade")


def test_helm_killed_in_a_rollback_by_hand_does_not_block_the_next_release(
    shop: ShopClone, undisturbed: EngineRun, slow_values: str
) -> None:
    """Helm waits for the hook of the earlier revision when it is killed."""
    release = shop.namespace("staging")
    shop.helm("staging", "upgrade", release, "chart", slow_values)
    number = shop.history("staging")[-1]["revision"]
    shop.helm("staging", "upgrade", release, "chart")
    kill_helm(shop, "pending-rollback", "rollback", release, str(number))
    assert_next_release_recovers(shop, "pending-rollback")


def test_helm_killed_in_a_first_install_by_hand_does_not_block_the_next_release(
    shop: ShopClone, undisturbed: EngineRun, slow_values: str
) -> None:
    """There is no earlier revision, so `helm rollback` cannot help."""
    release = shop.namespace("staging")
    shop.helm("staging", "uninstall", release, "--wait")
    kill_helm(shop, "pending-install", "install", release, "chart", slow_values)
    assert_next_release_recovers(shop, "pending-install")
