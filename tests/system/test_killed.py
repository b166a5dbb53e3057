"""Releases that are cut off: whatever dies wherever, the same command ends as if nothing had happened."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from .running import Run, Told, tells, wait_until
from .shopkeeper import ENVIRONMENTS, Shop

# What GitHub does to a step of a cancelled job: SIGINT, then after so many seconds each SIGTERM and SIGKILL.
TERMINATED_AFTER, KILLED_AFTER = 7.5, 2.5
# Each run looks at the cluster anew, and agreement to a run that died is none to the next one.
EACH_RUN = ("preflight:", "confirm:")
SLOW_HOOK = {"hook": {"events": "pre-upgrade", "command": ["sleep", "30"]}}


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> Run:
    """The first release, which nobody disturbs."""
    return shop.run("release", f"--version={shop.next_version()}")


@contextmanager
def slow_hook(shop: Shop, environment: str = "staging") -> Iterator[None]:
    """Meanwhile Helm is kept waiting before it changes anything; afterwards there is no hook, committed."""
    shop.configure(environment, SLOW_HOOK)
    yield
    shop.configure(environment, {})


def status(shop: Shop, environment: str = "staging") -> str:
    """What Helm calls its last revision."""
    history = shop.history(environment)
    return str(history[-1]["status"]) if history else "none"


def until_status(shop: Shop, wanted: str, environment: str = "staging") -> None:
    """Wait until Helm calls its last revision that."""
    wait_until(lambda: status(shop, environment) == wanted, timeout_seconds=60, what=wanted)


def moments(run: Run) -> dict[str, list[Callable[[Told], bool]]]:
    """When a release is killed: in each step, first at its start and then where it speaks; and at the end."""
    found: dict[str, list[Callable[[Told], bool]]] = {}
    for event in ("step-started", "step-spoke"):
        for step in dict.fromkeys(run.steps(event)):
            found.setdefault(step, []).append(tells(event, step))
    last = run.steps("step-ended")[-1]
    return found | {f"after {last}": [tells("step-ended", last)]}


def assert_released(shop: Shop, version: str, page: str, before: str, environments: Sequence[str]) -> None:
    """The version is what an undisturbed release makes of it: everything is there, and everything once."""
    commit = shop.git("rev-parse", f"v{version}^{{commit}}")
    assert shop.git("log", "--format=%s", f"{before}..v{version}") == f"release: {version}."
    assert shop.git("ls-remote", "origin", "main").split()[0] == commit
    assert shop.git("ls-remote", "origin", f"v{version}^{{}}").split()[0] == commit
    assert shop.git("status", "--porcelain") == ""
    for image in ("web", "api"):
        digests = {tag: shop.digest(image, tag) for tag in shop.tags(image)}
        named = {tag for tag, digest in digests.items() if digest == digests[f"v{version}"]}
        content = [tag for tag in named if tag.startswith("content-")]
        assert named == {f"v{version}", f"sha-{commit[:12]}", *content}
        assert len(content) == 1
    for environment in environments:
        *failed, last = [one for one in shop.history(environment) if one["app_version"] == version]
        assert last["status"] == "deployed"
        assert {one["status"] for one in failed} <= {"failed"}
        *others, record = [one for one in shop.records(environment) if one["version"] == version]
        assert (record["result"], record["revision"]) == ("verified", last["revision"])
        assert {one["result"] for one in others} <= {"failed"}
        shop.wait_for_page(environment, page)


def test_release_killed_anywhere_goes_on_with_the_same_command(
    shop: Shop, undisturbed: Run, subtests: pytest.Subtests
) -> None:
    """Killed with all it has started, again and again, the last run does the rest, to the same result."""
    for number, (step, kills) in enumerate(moments(undisturbed).items()):
        with subtests.test(step):
            page, version = f"killed {number}", shop.next_version()
            shop.change("web", page)
            shop.change("api", page)
            before = shop.git("rev-parse", "HEAD")
            last = "production" if step.endswith("production") else "staging"
            command = ["release", f"--version={version}", f"--to={last}"]
            done: list[str] = []
            for killed_at in kills:
                killed = shop.start(*command, killed_at=killed_at)
                assert killed.code() == -signal.SIGKILL, killed
                done += killed.done
            done += shop.run(*command).done
            assert [one for one in done if done.count(one) > 1 and not one.startswith(EACH_RUN)] == []
            assert_released(shop, version, page, before, ENVIRONMENTS[: ENVIRONMENTS.index(last) + 1])


def test_release_killed_while_pods_start_watches_the_same_revision(shop: Shop, undisturbed: Run) -> None:
    """Helm had applied it: another revision would start the pods anew."""
    version = shop.next_version()
    shop.configure("staging", {"web": {"container": {"readinessProbe": {"initialDelaySeconds": 6}}}})
    applied = tells("step-spoke", "deploy:staging", "STATUS: deployed")
    killed = shop.start("release", f"--version={version}", "--to=staging", killed_at=applied)
    assert killed.code() == -signal.SIGKILL, killed
    shop.run("release", f"--version={version}", "--to=staging")
    assert [one["status"] for one in shop.history("staging") if one["app_version"] == version] == ["deployed"]
    assert [one["result"] for one in shop.records("staging") if one["version"] == version] == ["verified"]
    shop.configure("staging", {})


def cancel(run: Run) -> None:
    """Do what GitHub does to a step of a cancelled job, and last to all that the step has started."""
    run.send(signal.SIGINT)
    if not run.has_ended_within(TERMINATED_AFTER):
        run.send(signal.SIGTERM)
        run.has_ended_within(KILLED_AFTER)
    run.send(signal.SIGKILL, to_group=True)


def test_cancelled_release_ends_helm_and_frees_the_environment(shop: Shop, undisturbed: Run) -> None:
    """GitHub's signals reach the engine while Helm works: it ends in time, and nobody waits for it later."""
    version = shop.next_version()
    with slow_hook(shop):
        run = shop.start("release", f"--version={version}", "--to=staging")
        until_status(shop, "pending-upgrade")
        cancel(run)
        assert run.code() == 130
    resumed = shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    assert [note for note in resumed.notes if note.startswith("waiting: ")] == []
    assert status(shop) == "deployed"
    assert [one["result"] for one in shop.records("staging")][-1] == "verified"


def test_cancelled_shell_leaves_a_release_that_the_next_one_recovers(shop: Shop, undisturbed: Run) -> None:
    """The signals stop at the shell that runs the step; the engine and Helm are killed with the job."""
    version = shop.next_version()
    with slow_hook(shop):
        run = shop.start("release", f"--version={version}", "--to=staging", in_shell=True)
        until_status(shop, "pending-upgrade")
        cancel(run)
        assert run.code() == -signal.SIGTERM
        assert status(shop) == "pending-upgrade"
    resumed = shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    assert any("waiting: Rita <rita@example.com> on" in note for note in resumed.notes)
    assert any("was left pending-upgrade by a run that died; unlocked" in note for note in resumed.notes)
    assert status(shop) == "deployed"
    assert [one["result"] for one in shop.records("staging")][-2:] == ["failed", "verified"]


def test_killed_helm_is_a_failed_deployment(shop: Shop, undisturbed: Run) -> None:
    """The engine lives on, says what happened and restores what ran before."""
    version, earlier = shop.next_version(), shop.history("staging")[-1]
    with slow_hook(shop):
        run = shop.start("release", f"--version={version}", "--to=staging")
        until_status(shop, "pending-upgrade")
        run.kill_child("helm")
        assert run.code() == 9
    done = f"rolled back to {earlier['app_version']} (revision {earlier['revision']})"
    assert run.failure["notes"] == [done]
    assert [one["status"] for one in shop.history("staging")][-3:] == ["superseded", "failed", "deployed"]
    assert shop.history("staging")[-1]["app_version"] == earlier["app_version"]


@pytest.fixture
def slow_values(tmp_path: Path) -> str:
    """Values with a hook that keeps Helm waiting in whatever it does, but for upgrades."""
    path = tmp_path / "slow.yaml"
    hook = {"events": "pre-install,pre-rollback", "command": ["sleep", "30"]}
    path.write_text(yaml.safe_dump({"hook": hook}), encoding="utf-8")
    return f"--values={path}"


def kill_helm(shop: Shop, pending: str, *arguments: str) -> None:
    """Start Helm by hand and kill it when it has written down what it is doing."""
    with shop.start_helm("staging", *arguments) as helm:
        until_status(shop, pending)
        helm.kill()
    assert status(shop) == pending


def assert_next_release_recovers(shop: Shop, pending: str) -> None:
    """The lock that a dead Helm left is opened, and no Deployment is deleted for it."""
    deployments = {one["metadata"]["uid"] for one in shop.objects("staging", "deployments")}
    run = shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    assert any(f"was left {pending} by a run that died; unlocked" in note for note in run.notes)
    assert status(shop) == "deployed"
    assert deployments <= {one["metadata"]["uid"] for one in shop.objects("staging", "deployments")}


def test_helm_killed_in_an_upgrade_by_hand_does_not_block_the_next_release(
    shop: Shop, undisturbed: Run, slow_values: str
) -> None:
    """Helm itself would refuse everything from here on."""
    events = "--set=hook.events=pre-upgrade"
    kill_helm(shop, "pending-upgrade", "upgrade", shop.namespace("staging"), "chart", slow_values, events)
    assert_next_release_recovers(shop, "pending-upgrade")


def test_helm_killed_in_a_rollback_by_hand_does_not_block_the_next_release(
    shop: Shop, undisturbed: Run, slow_values: str
) -> None:
    """It was the hook of the revision to go back to that Helm waited for."""
    release = shop.namespace("staging")
    shop.helm("staging", "upgrade", release, "chart", slow_values)
    number = shop.history("staging")[-1]["revision"]
    shop.helm("staging", "upgrade", release, "chart")
    kill_helm(shop, "pending-rollback", "rollback", release, str(number))
    assert_next_release_recovers(shop, "pending-rollback")


def test_helm_killed_in_a_first_install_by_hand_does_not_block_the_next_release(
    shop: Shop, undisturbed: Run, slow_values: str
) -> None:
    """Here `helm rollback` has nowhere to go."""
    release = shop.namespace("staging")
    shop.helm("staging", "uninstall", release, "--wait")
    kill_helm(shop, "pending-install", "install", release, "chart", slow_values)
    assert_next_release_recovers(shop, "pending-install")
