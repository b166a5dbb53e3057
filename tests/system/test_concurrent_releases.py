"""Repeated releases, and releases from several clones at the same time."""

import re
from pathlib import Path

import pytest

from .engine_run import is_event
from .shop_clone import ShopClone

CI = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.test",
    "GITHUB_REPOSITORY": "rita/shop",
    "GITHUB_RUN_ID": "7",
}
SLOW = {"web": {"container": {"readinessProbe": {"initialDelaySeconds": 15}}}}


@pytest.fixture(scope="module")
def released(shop: ShopClone) -> ShopClone:
    """The first version runs in both environments."""
    shop.run("release", f"--version={shop.next_version()}")
    return shop


def test_repeated_release_writes_nothing(released: ShopClone) -> None:
    """A repeated release changes no object, no tag in the registry and no ref of the remote."""
    version = released.history("production")[-1]["app_version"]
    before = released.state()
    run = released.run("release", f"--version={version}")
    assert run.executed_steps == []
    assert released.state() == before
    kinds = {name.partition("/")[0] for name in before}
    assert {f"staging {kind}" for kind in ("ConfigMap", "Deployment", "Lease", "Pod", "Secret")} <= kinds


def test_second_release_waits_and_names_the_holder(released: ShopClone, tmp_path: Path) -> None:
    """The second of two releases waits until the first one is verified, or is refused with `--no-wait`."""
    shop, first, second = released, released.next_version(), released.next_version()
    shop.configure("staging", SLOW)
    slow = shop.start("release", f"--version={first}", "--to=staging")
    slow.wait_for(is_event("step-started", "deploy:staging"))
    other = shop.another_clone(tmp_path / "other")
    other.configure("staging", {})
    other.change("web", "second")
    waiting = other.start("release", f"--version={second}", "--to=staging")
    note = waiting.wait_for(is_event("step-progressed", "deploy:staging", "waiting: "))
    assert re.match(rf"waiting: Rita <rita@example.com> on \S+ releases {first} since 20", note["text"])
    third = shop.another_clone(tmp_path / "third")
    older = ("deploy", "--env=staging", "--version=0.1.0", "--allow-downgrade")
    refused = third.run(*older, "--no-wait", exit_code=10)
    assert "is locked: Rita <rita@example.com> on" in refused.failure["problem"]
    assert f"releases {first} since" in refused.failure["problem"]
    assert (slow.exit_code(), waiting.exit_code()) == (0, 0)
    verified_at = slow.wait_for(is_event("step-ended", "verify:staging"))["at"]
    assert waiting.wait_for(is_event("step-progressed", "deploy:staging", "ready"))["at"] > verified_at
    assert [revision["app_version"] for revision in shop.history("staging")[-2:]] == [first, second]
    shop.wait_for_page("staging", "second")
    shop.git("pull", "--quiet", "origin", "main")


def test_same_version_from_two_clones_and_ci_is_released_once(released: ShopClone, tmp_path: Path) -> None:
    """Of three simultaneous releases at least one succeeds, and the version exists once.

    The others are refused, unless they made the same commit because they began in the same second.
    """
    shop, version = released, released.next_version()
    shop.configure("staging", {})
    shop.change("web", "twice")
    shop.git("push", "--quiet", "origin", "main")
    before = shop.git("rev-parse", "HEAD")
    ci = shop.another_clone(tmp_path / "ci").with_environ(**CI)
    clones = (shop, shop.another_clone(tmp_path / "other"), ci)
    runs = [clone.start("release", f"--version={version}", "--to=staging") for clone in clones]
    codes = [run.exit_code() for run in runs]
    assert set(codes) <= {0, 3, 4, 7}  # refused because of the version, the remote or the registry
    winners = [clone for clone, code in zip(clones, codes, strict=True) if code == 0]
    [commit] = {clone.git("rev-parse", f"v{version}^{{commit}}") for clone in winners}
    winner = winners[0]
    assert winner.git("log", "--format=%s", f"{before}..{commit}") == f"release: {version}."
    assert winner.git("ls-remote", "origin", "main").split()[0] == commit
    revisions = [revision for revision in shop.history("staging") if revision["app_version"] == version]
    assert [revision["status"] for revision in revisions] == ["deployed"]
    shop.wait_for_page("staging", "twice")
    # As the message of the refused release says: replace the own commit and tag with the remote's.
    for clone in clones:
        clone.git("fetch", "--quiet", "--tags", "--force", "origin")
        clone.git("reset", "--quiet", "--hard", "origin/main")
        assert clone.run("release", f"--version={version}", "--to=staging").executed_steps == []
