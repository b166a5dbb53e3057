"""Releases that something disturbs: a laptop that sleeps, an API server that is away, changes by other tools.

A laptop's lid is closed at the beginning, while it upgrades staging. Its Lease expires after two minutes, in
which the other tests use production.
"""

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .api_server_proxy import ApiServerProxy
from .engine_run import EngineRun, is_event, wait_until
from .running_cluster import RunningCluster
from .shop_clone import INV, ShopClone

pytestmark = pytest.mark.usefixtures("sleeping_laptop")

# Longer than the engine may be silent: what watches Helm in its place must end it.
SLOW_HOOK = {"hook": {"events": "pre-upgrade", "command": ["sleep", "300"]}}
SLOW_START = {"web": {"container": {"readinessProbe": {"initialDelaySeconds": 8}}}}
OUTAGE_SECONDS = 60
TAKEN_OVER_WITHIN_SECONDS = 180  # the Lease lasts 120


@pytest.fixture(scope="module")
def released(shop: ShopClone) -> ShopClone:
    """0.1.0 runs in both environments, and 0.2.0, which starts slowly in production, in staging."""
    shop.run("release", f"--version={shop.next_version()}")
    shop.configure("production", SLOW_START)
    shop.change("web", "two")
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    return shop


@dataclass(frozen=True)
class SleepingLaptop:
    """A run that was stopped while it held staging, and one of another clone that waits for it."""

    run: EngineRun
    version: str
    other_run: EngineRun
    other_version: str


@pytest.fixture(scope="module")
def sleeping_laptop(
    released: ShopClone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SleepingLaptop]:
    """Stops the laptop's engine while its Helm waits for a hook, and starts another engine."""
    folder = tmp_path_factory.mktemp("clones")
    laptop, version = released.another_clone(folder / "laptop"), released.next_version()
    laptop.configure("staging", SLOW_HOOK)
    runs = [laptop.start("release", f"--version={version}", "--to=staging")]
    try:
        wait_until(
            lambda: released.history("staging")[-1]["status"] == "pending-upgrade",
            timeout_seconds=60,
            what="Helm waits for the hook",
        )
        runs[0].send(signal.SIGSTOP, to_group=True)
        other, other_version = released.another_clone(folder / "other"), released.next_version()
        other.configure("staging", {})
        other.change("web", "three")
        runs.append(other.start("release", f"--version={other_version}", "--to=staging"))
        runs[1].wait_for(is_event("step-progressed", "deploy:staging", "waiting: Rita"))
        yield SleepingLaptop(runs[0], version, runs[1], other_version)
    finally:
        for run in runs:
            run.send(signal.SIGKILL, to_group=True)
            run.exit_code()


def roll_back_by_hand(shop: ShopClone) -> int:
    """Has Helm itself roll production back to its first revision, and returns the new revision."""
    shop.helm("production", "rollback", shop.namespace("production"), "1", "--wait")
    return int(shop.history("production")[-1]["revision"])


def rows_of_history(shop: ShopClone) -> list[tuple[str, str, str]]:
    """Returns revision, version and result of production's deployments, newest first."""
    rows = shop.table("history", "--env=production")
    return [(row["revision"], row["version"], row["result"]) for row in rows]


def test_saved_plan_is_refused_after_a_rollback_by_hand(released: ShopClone, tmp_path: Path) -> None:
    """The refusal names the environment; the engine knows what Helm restored, and that nobody verified it."""
    plan = tmp_path / "plan.json"
    released.run("plan", "--version=0.2.0", "--env=production", f"--out={plan}")
    revision = roll_back_by_hand(released)
    refused = released.run("release", f"--plan={plan}", exit_code=18)
    was, now = (f"0.1.0 (revision {number}, deployed)" for number in (1, revision))
    assert f"any more: what production runs was {was} and is {now} now" in refused.failure["problem"]
    assert released.history("production")[-1]["revision"] == revision
    assert rows_of_history(released)[0] == (str(revision), "0.1.0", "deployed")


def test_question_that_is_answered_too_late_deploys_nothing(released: ShopClone) -> None:
    """Somebody changes production while a person thinks about the question."""
    near, far = pty.openpty()
    command = [str(INV), "deploy", "--env=production", "--version=0.2.0", f"--config={released.overlay}"]
    with subprocess.Popen(
        command,
        cwd=released.path,
        env=dict(released.environ),
        stdin=far,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        os.close(far)
        assert process.stdout is not None
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(process.stdout.fileno(), 65536) or pytest.fail(shown.decode())
        revision = roll_back_by_hand(released)
        os.write(near, b"y\n")
        rest = process.stdout.read().decode()
    os.close(near)
    assert process.returncode == 18, rest
    assert "production has changed since the plan was made" in rest
    assert released.history("production")[-1]["revision"] == revision


def test_rollout_goes_on_after_a_minute_without_the_api_server(
    released: ShopClone, cluster: RunningCluster, tmp_path: Path
) -> None:
    """Pods start meanwhile; the engine waits, finds them ready and verifies the version."""
    with ApiServerProxy.started(cluster.kubeconfig) as proxy:
        kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig")
        engine = released.with_environ(KUBECONFIG=str(kubeconfig))
        run = engine.start("deploy", "--env=production", "--version=0.2.0")
        run.wait_for(is_event("step-progressed", "deploy:production", "STATUS: deployed"))
        with proxy.interrupted():
            assert not run.has_ended_within(OUTAGE_SECONDS), run
        assert run.exit_code() == 0, run
    assert any("the API server does not answer: waited for until" in note for note in run.notes)
    revisions = [item for item in released.history("production") if item["app_version"] == "0.2.0"]
    assert [item["status"] for item in revisions] == ["deployed"]
    assert rows_of_history(released)[0] == (str(revisions[0]["revision"]), "0.2.0", "verified")


def test_lower_version_is_refused(released: ShopClone) -> None:
    """`deploy` and a plan refuse it, and name the two ways to want it."""
    before = released.history("production")
    older = ("--env=production", "--version=0.1.0")
    refused = released.run("deploy", *older, exit_code=3)
    assert refused.failure["problem"] == "production runs 0.2.0, and 0.1.0 is lower."
    assert "inv rollback --env production --version 0.1.0" in refused.failure["remedy"]
    released.run("plan", *older, exit_code=3)
    assert released.history("production") == before


def test_deleted_records_come_back(released: ShopClone) -> None:
    """Helm's storage says what ran, so a rollback finds its way without the engine's ConfigMap."""
    namespace = released.namespace("production")
    before = [row[:2] for row in rows_of_history(released)]
    released.kubectl("delete", "configmap", f"{namespace}-releases", f"--namespace={namespace}")
    assert [row[:2] for row in rows_of_history(released)] == before
    released.run("rollback", "--env=production")
    newest = int(before[0][0]) + 1
    assert rows_of_history(released)[0] == (str(newest), "0.1.0", "verified")
    recorded: list[Any] = released.records("production")
    assert [record["revision"] for record in recorded] == list(range(1, newest + 1))


def test_new_installation_begins_with_new_records(released: ShopClone) -> None:
    """After `helm uninstall` Helm counts from 1 again, and the earlier records do not count."""
    released.helm("production", "uninstall", released.namespace("production"), "--wait")
    run = released.run("deploy", "--env=production", "--version=0.2.0")
    assert "deploy:production" in run.executed_steps
    (record,) = released.records("production")
    assert (record["revision"], record["version"], record["result"]) == (1, "0.2.0", "verified")
    assert rows_of_history(released) == [("1", "0.2.0", "verified")]


def test_upgrade_of_a_sleeping_laptop_is_taken_over(
    released: ShopClone, sleeping_laptop: SleepingLaptop
) -> None:
    """The other run ends the upgrade that was left; the laptop writes nothing when it wakes up."""
    assert sleeping_laptop.other_run.exit_code(timeout_seconds=TAKEN_OVER_WITHIN_SECONDS) == 0
    history, records = released.history("staging"), released.records("staging")
    sleeping_laptop.run.send(signal.SIGCONT, to_group=True)
    assert sleeping_laptop.run.exit_code() == 10, sleeping_laptop.run
    assert "lock of namespace" in sleeping_laptop.run.failure["problem"]
    assert (released.history("staging"), released.records("staging")) == (history, records)
    assert [(item["app_version"], item["status"]) for item in history[-2:]] == [
        (sleeping_laptop.version, "failed"),
        (sleeping_laptop.other_version, "deployed"),
    ]
    results = {record["version"]: record["result"] for record in records}
    assert results[sleeping_laptop.version] == "failed"
    assert results[sleeping_laptop.other_version] == "verified"
    released.wait_for_page("staging", "three")
