"""The provider's cluster: created once, adopted afterwards, compared, and never created again."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from todo_cluster.bootstrap.provider import ManagedCluster
from todo_cluster.config.provider import DigitalOceanCluster
from todo_cluster.digitalocean import DigitalOcean
from todo_cluster.errors import ProviderError

from .digitalocean_api import TOKEN, AccountDouble, serve

SETTINGS: dict[str, Any] = {
    "name": "shop",
    "region": "nyc1",
    "version": "1.35",
    "ha": False,
    "pool": {"name": "default", "size": "s-2vcpu-4gb", "min_nodes": 3, "max_nodes": 5},
}
KUBECONFIG = json.dumps(
    {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "do-nyc1-shop", "context": {"cluster": "c", "user": "u"}}],
    }
)


@dataclass
class StoppedClock:
    """A clock that only sleeping moves."""

    seconds: float = 0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Returns the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Moves the time."""
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def account() -> Iterator[AccountDouble]:
    """An account without clusters."""
    with serve(AccountDouble(kubeconfig=KUBECONFIG)) as served:
        yield served


def managed(account: AccountDouble, folder: Path, said: list[str], **changes: Any) -> ManagedCluster:
    """Returns the configured cluster of an account."""
    settings = DigitalOceanCluster.model_validate({**SETTINGS, **changes, "api": account.url})
    api = DigitalOcean.connect(account.url, {"DIGITALOCEAN_TOKEN": TOKEN})
    return ManagedCluster(settings, api, folder, say=said.append, clock=StoppedClock())


def writes(account: AccountDouble) -> list[str]:
    """Returns the requests that change something."""
    return [request for request in account.requests if not request.startswith("GET")]


def test_cluster_is_created_once_and_then_adopted(account: AccountDouble, tmp_path: Path) -> None:
    """The newest of the minor version is asked for, `ha` is always sent, and a second run only reads."""
    account.clusters.append({**SETTINGS, "name": "other", "id": "x", "status": {"state": "running"}})
    said: list[str] = []
    access = managed(account, tmp_path, said).ensure()
    [created] = account.bodies
    assert (created["version"], created["ha"]) == ("1.35.4-do.1", False)
    assert created["node_pools"] == [
        {
            "name": "default",
            "size": "s-2vcpu-4gb",
            "count": 3,
            "auto_scale": True,
            "min_nodes": 3,
            "max_nodes": 5,
        }
    ]
    assert access.context == "do-nyc1-shop"
    assert access.kubeconfig == tmp_path / "shop.kubeconfig"
    assert stat.S_IMODE(access.kubeconfig.stat().st_mode) == 0o600
    before = writes(account)
    managed(account, tmp_path, said).ensure()
    assert writes(account) == before
    assert TOKEN not in "".join(said)


def test_plan_only_reads(account: AccountDouble, tmp_path: Path) -> None:
    """Looking for a cluster that is not there creates nothing, and says which version it would have."""
    said: list[str] = []
    assert managed(account, tmp_path, said).find() is None
    assert said == ["• cluster shop in nyc1: to create, with 1.35.4-do.1"]
    assert writes(account) == []


def test_pool_is_resized_and_keeps_its_tags(account: AccountDouble, tmp_path: Path) -> None:
    """Another number of nodes is changed in place; an update sends the tags too, which it would remove."""
    said: list[str] = []
    managed(account, tmp_path, said).ensure()
    pool = {**SETTINGS["pool"], "max_nodes": 6}
    managed(account, tmp_path, said, pool=pool).ensure()
    assert len(writes(account)) == 2
    assert account.bodies[-1] == {
        "name": "default",
        "count": 3,
        "tags": ["k8s"],
        "auto_scale": True,
        "min_nodes": 3,
        "max_nodes": 6,
    }


def test_other_size_is_refused_and_nothing_is_recreated(account: AccountDouble, tmp_path: Path) -> None:
    """What no call can change is an error that says how to do it by hand."""
    managed(account, tmp_path, []).ensure()
    before = writes(account)
    pool = {**SETTINGS["pool"], "size": "s-4vcpu-8gb"}
    with pytest.raises(ProviderError, match="has the size s-2vcpu-4gb, not s-4vcpu-8gb"):
        managed(account, tmp_path, [], pool=pool).ensure()
    assert writes(account) == before


def test_differences_that_are_not_changed_are_said(account: AccountDouble, tmp_path: Path) -> None:
    """Another version and another control plane are told, with what to do."""
    managed(account, tmp_path, []).ensure()
    said: list[str] = []
    managed(account, tmp_path, said, version="1.36", ha=True).ensure()
    text = "\n".join(said)
    assert "it runs 1.35.4-do.1, cluster.yaml says 1.36" in text
    assert "ha False, cluster.yaml says True" in text
    assert len(writes(account)) == 1


def test_cluster_that_does_not_start_is_an_error_in_time(account: AccountDouble, tmp_path: Path) -> None:
    """The wait is bounded, and the next run goes on waiting for the same cluster."""
    account.provisioning_reads = 10**6
    with pytest.raises(ProviderError, match="The cluster shop does not run: it is provisioning"):
        managed(account, tmp_path, [], timeout_seconds=60).ensure()
    account.provisioning_reads = 1
    managed(account, tmp_path, []).ensure()
    assert len(writes(account)) == 1


def test_version_that_is_not_offered_is_an_error_with_those_that_are(
    account: AccountDouble, tmp_path: Path
) -> None:
    """The error lists what can be chosen."""
    with pytest.raises(ProviderError, match=r"does not offer Kubernetes 1\.33\..*1\.36\.1-do\.0"):
        managed(account, tmp_path, [], version="1.33").ensure()
    assert writes(account) == []


@pytest.mark.parametrize(("status", "remedy"), [(401, "Renew the token"), (429, "wait some minutes")])
def test_refusal_says_what_to_do(account: AccountDouble, tmp_path: Path, status: int, remedy: str) -> None:
    """The status decides the advice; the token is not in the message."""
    account.refusal = status
    with pytest.raises(ProviderError, match=f"refused GET .*{status}.*not today.*{remedy}") as caught:
        managed(account, tmp_path, []).find()
    assert TOKEN not in str(caught.value)


def test_missing_token_is_an_error_that_names_the_variable(account: AccountDouble) -> None:
    """Nothing is sent without a token."""
    with pytest.raises(ProviderError, match="Set DIGITALOCEAN_TOKEN"):
        DigitalOcean.connect(account.url, {})
    assert account.requests == []


def test_control_plane_must_be_chosen() -> None:
    """There is no default for `ha`, because the API's own depends on the version."""
    without = {key: value for key, value in SETTINGS.items() if key != "ha"}
    with pytest.raises(ValueError, match="ha"):
        DigitalOceanCluster.model_validate(without)
    with pytest.raises(ValueError, match="version"):
        DigitalOceanCluster.model_validate({**SETTINGS, "version": "latest"})
