"""The commands for Secrets, on a real API server with a real PostgreSQL behind the values."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from todo_cluster.application import SECRETS_MANAGER
from todo_cluster.errors import RestartError, SecretsError
from todo_cluster.secrets import live_checks, run
from todo_cluster.secrets.run import ValueInputs
from todo_embedded.postgres import PostgresServer
from todo_release.adapters.kubernetes.managed_fields import foreign_fields

from ..sample_application import SampleApplication

SECRETS = "api/v1 secrets"
DEPLOYMENTS = "apis/apps/v1 deployments"
SIGNING = "k9Zq3vN1xB7tYpL0sWe5Hc2mRf8uJd6a"


@pytest.fixture(autouse=True)
def _without_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample's registry does not exist; test_live_checks asks one that does."""
    monkeypatch.setattr(live_checks, "check_pull_secret", lambda *_: iter(()))


@pytest.fixture
def values(postgres: PostgresServer) -> dict[str, str]:
    """Valid values of every key that nobody generates."""
    url = postgres.create_database("run")
    return {
        "DATABASE_URL": url,
        "FRONTEND_DATABASE_URL": url,
        "BETTER_AUTH_SECRET": SIGNING,
        "REGISTRY_USERNAME": "robot",
        "REGISTRY_TOKEN": "pull-t0ken",
    }


def call_set(sample: SampleApplication, path: Path | None, *, is_offline: bool = False) -> int:
    """Runs `secrets.set` with a file."""
    return run.set_values(sample.root, sample.options, "staging", ValueInputs(path), is_offline=is_offline)


def data(sample: SampleApplication, name: str = "app") -> dict[str, str]:
    """Returns the values of a Secret."""
    secret = sample.read(f"{SECRETS}/{name}")
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def restarted(sample: SampleApplication, name: str) -> str | None:
    """Returns when a Deployment was restarted."""
    annotations = sample.read(f"{DEPLOYMENTS}/{name}")["spec"]["template"]["metadata"]["annotations"]
    value: str | None = annotations.get("kubectl.kubernetes.io/restartedAt")
    return value


def test_set_writes_both_secrets_and_shows_no_value(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A token of our own is generated; the types are those that pods need; the output has only keys."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    stored = data(deployed)
    assert stored["DATABASE_URL"] == values["DATABASE_URL"]
    assert len(stored["token"]) >= 32
    pull = deployed.read(f"{SECRETS}/pull")
    assert pull["type"] == "kubernetes.io/dockerconfigjson"
    assert json.loads(data(deployed, "pull")[".dockerconfigjson"])["auths"].keys() == {"registry.test"}
    manager = {entry["manager"] for entry in pull["metadata"]["managedFields"]}
    assert manager == {SECRETS_MANAGER}
    shown = "".join(capsys.readouterr())
    assert "DATABASE_URL: set, was missing" in shown
    assert "token: generated, was missing" in shown
    assert not [value for value in (*stored.values(), "pull-t0ken") if value in shown]


def test_set_names_all_problems_at_once_and_writes_nothing(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing, wrong and refused values are in one list."""
    values |= {
        "BETTER_AUTH_SECRET": "changeme",
        "DATABASE_URL": values["DATABASE_URL"].replace("postgres:", "po:"),
    }
    del values["REGISTRY_TOKEN"]
    assert call_set(deployed, deployed.secret_file(**values)) == SecretsError.exit_code
    shown = "".join(capsys.readouterr())
    assert "3 values of staging cannot be used" in shown
    assert "BETTER_AUTH_SECRET: It is a placeholder." in shown
    assert "password authentication failed" in shown
    assert ".dockerconfigjson: It is missing." in shown
    assert deployed.read(f"{SECRETS}/app") is None


def test_set_refuses_a_key_that_the_chart_does_not_read(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A typing mistake would otherwise be found by a pod that does not start."""
    path = deployed.secret_file(**values, DATABSE_URL="x")
    assert call_set(deployed, path) == SecretsError.exit_code
    assert "DATABSE_URL: The chart does not read such a key." in "".join(capsys.readouterr())


def test_set_again_changes_nothing_and_keeps_keys_of_others(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run writes nothing; what somebody added by hand stays."""
    path = deployed.secret_file(**values)
    assert call_set(deployed, path) == 0
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}, "data": {"OTHER": "eA=="}}
    deployed.environment().cluster.apply(theirs, deployed.namespaces[0], manager="kubectl")
    version = deployed.read(f"{SECRETS}/app")["metadata"]["resourceVersion"]
    assert call_set(deployed, path) == 0
    assert "Nothing was changed" in "".join(capsys.readouterr())
    assert deployed.read(f"{SECRETS}/app")["metadata"]["resourceVersion"] == version
    assert call_set(deployed, deployed.secret_file(BETTER_AUTH_SECRET=SIGNING[::-1])) == 0
    assert data(deployed)["OTHER"] == "x"
    assert data(deployed)["BETTER_AUTH_SECRET"] == SIGNING[::-1]


def test_set_takes_environment_variables(
    deployed: SampleApplication, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline has its values there."""
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    inputs = ValueInputs(is_from_environment=True)
    assert run.set_values(deployed.root, deployed.options, "staging", inputs, is_offline=False) == 0
    assert data(deployed)["BETTER_AUTH_SECRET"] == SIGNING


def test_set_refuses_a_secret_of_another_type(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The API server never changes a type; the remedy is the command that deletes it."""
    wrong = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"}, "stringData": {"a": "b"}}
    deployed.environment().cluster.apply(wrong, deployed.namespaces[0], manager="kubectl")
    assert call_set(deployed, deployed.secret_file(**values)) == SecretsError.exit_code
    assert "delete secret pull" in "".join(capsys.readouterr())


def test_check_tells_missing_invalid_and_unused_keys(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says whether something is wrong; ages are those of each key."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    capsys.readouterr()
    assert run.check(deployed.root, deployed.options, "staging", is_offline=False) == 0
    assert "just now" in "".join(capsys.readouterr())
    broken = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app"},
        "stringData": {"OLD": "x", "BETTER_AUTH_SECRET": "short"},
    }
    deployed.environment().cluster.apply(broken, deployed.namespaces[0], manager="kubectl")
    deployed.environment().cluster.patch(
        f"api/v1/namespaces/{deployed.namespaces[0]}/secrets/app",
        {"data": {"token": None}},
        manager="kubectl",
    )
    assert run.check(deployed.root, deployed.options, "staging", is_offline=True) == SecretsError.exit_code
    lines = "".join(capsys.readouterr()).splitlines()
    [unused] = [line for line in lines if " OLD " in line]
    assert "not read by the chart" in unused
    assert [line for line in lines if " BETTER_AUTH_SECRET " in line and "5 characters" in line]
    assert [line for line in lines if " token " in line and "missing" in line and "worker" in line]


def test_rotate_restarts_only_what_reads_the_key(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The database's new URL is tried first, and the operator is told to revoke the old one."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    new = f"{values['DATABASE_URL']}?application_name=new"
    inputs = ValueInputs(deployed.secret_file(DATABASE_URL=new))
    assert run.rotate(deployed.root, deployed.options, "staging", inputs, ("DATABASE_URL",)) == 0
    assert data(deployed)["DATABASE_URL"] == new
    assert restarted(deployed, "worker") is not None
    assert restarted(deployed, "web") is None
    live = deployed.read(f"{DEPLOYMENTS}/worker")
    [rendered] = [
        each for each in deployed.environment().manifest.of_kind("Deployment") if each.name == "worker"
    ]
    assert list(foreign_fields(live, rendered.body)) == []  # `inv drift` does not call it an edit by hand
    shown = "".join(capsys.readouterr())
    assert "worker restarted" in shown
    assert "revoke the earlier role or password" in shown


def test_rotate_of_the_signing_secret_keeps_the_old_one_for_decrypting(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each rotation puts a version in front; it says that everybody has to sign in again."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    for _ in range(2):
        assert (
            run.rotate(deployed.root, deployed.options, "staging", ValueInputs(), ("BETTER_AUTH_SECRET",))
            == 0
        )
    stored = data(deployed)
    assert stored["BETTER_AUTH_SECRET"] == SIGNING
    versions = [part.partition(":")[0] for part in stored["BETTER_AUTH_SECRETS"].split(",")]
    assert versions == ["2", "1"]
    assert restarted(deployed, "web") is not None
    assert "sign in again" in "".join(capsys.readouterr())


def test_rotate_that_breaks_pods_puts_the_old_value_back(
    deployed: SampleApplication,
    values: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    wait_until: Callable[..., None],
) -> None:
    """The old pods serve all the time, and the Deployment is at its old template again."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    environment = deployed.environment()
    path = f"apis/apps/v1/namespaces/{deployed.namespaces[0]}/deployments/worker"
    wait_until(lambda: environment.cluster.read(path)["status"].get("availableReplicas") == 1)
    before = data(deployed)["token"]
    broken = {"spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "refused:1"}]}}}}
    environment.cluster.patch(path, {"spec": {"paused": True}}, manager="kubectl")
    environment.cluster.patch(path, broken, manager="kubectl")
    environment.cluster.patch(path, {"spec": {"paused": False}}, manager="kubectl")
    assert (
        run.rotate(deployed.root, deployed.options, "staging", ValueInputs(), ("token",))
        == RestartError.exit_code
    )
    assert data(deployed)["token"] == before
    assert restarted(deployed, "worker") is None
    assert environment.cluster.read(path)["status"]["availableReplicas"] == 1
    assert "not ready" in "".join(capsys.readouterr())


@pytest.mark.parametrize(("keys", "expected"), [((), "no key"), (("NO_SUCH",), "NO_SUCH")])
def test_rotate_refuses_keys_that_are_not_set(
    deployed: SampleApplication, capsys: pytest.CaptureFixture[str], keys: tuple[str, ...], expected: str
) -> None:
    """The remedy names those that are."""
    assert (
        run.rotate(deployed.root, deployed.options, "staging", ValueInputs(), keys) == SecretsError.exit_code
    )
    assert expected in "".join(capsys.readouterr())


def test_rotate_that_was_cut_off_continues_with_the_same_values(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written already only has its users restarted."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    inputs = ValueInputs(deployed.secret_file(DATABASE_URL=values["DATABASE_URL"]))
    assert run.rotate(deployed.root, deployed.options, "staging", inputs, ("DATABASE_URL",)) == 0
    assert "has this value already" in "".join(capsys.readouterr())
    assert restarted(deployed, "worker") is not None


def test_rotate_without_a_new_value_is_refused(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can be asked here, and the file has another key."""
    assert call_set(deployed, deployed.secret_file(**values)) == 0
    inputs = ValueInputs(deployed.secret_file(BETTER_AUTH_SECRET=SIGNING))
    code = run.rotate(deployed.root, deployed.options, "staging", inputs, ("DATABASE_URL",))
    assert code == SecretsError.exit_code
    assert "nobody to ask for DATABASE_URL" in "".join(capsys.readouterr())


def test_value_of_the_other_environment_is_refused(
    deployed: SampleApplication, values: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Staging must not be able to sign what production accepts."""
    theirs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "app"},
        "stringData": {"BETTER_AUTH_SECRET": SIGNING},
    }
    deployed.environment().cluster.apply(theirs, deployed.namespaces[1], manager="kubectl")
    assert call_set(deployed, deployed.secret_file(**values)) == SecretsError.exit_code
    assert "production has the same value" in "".join(capsys.readouterr())
