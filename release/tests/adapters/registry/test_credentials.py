"""Credentials of registries in Docker's config.json, credential helpers and pull secrets."""

import base64
import json
from pathlib import Path

import pytest

from todo_release.adapters.registry.credentials import Credentials, from_docker_config, from_pull_secret
from todo_release.errors import RegistryError

ANA = Credentials("ana", "a:b")
AUTH = {"auth": base64.b64encode(b"ana:a:b").decode()}
HELPER = """#!/bin/sh
read host
case "$host" in
  ghcr.io) echo '{"Username": "ana", "Secret": "a:b"}' ;;
  none.test) echo "credentials not found in native keychain"; exit 1 ;;
  *) echo "the keychain is locked"; exit 1 ;;
esac
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's config.json (not written yet), and a credential helper `vault` on PATH."""
    helper = tmp_path / "bin" / "docker-credential-vault"
    helper.parent.mkdir()
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_missing_or_empty_config_has_no_credentials(config: Path) -> None:
    """The registry is then used without a login."""
    assert from_docker_config("ghcr.io") is None
    config.write_text("{}")
    assert from_docker_config("ghcr.io") is None


@pytest.mark.parametrize("key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/"])
def test_login_is_found_in_every_form_of_the_host(config: Path, key: str) -> None:
    """A password may contain colons."""
    config.write_text(json.dumps({"auths": {key: AUTH}}))
    assert from_docker_config("ghcr.io") == ANA


def test_docker_hub_is_found_by_its_old_address(config: Path) -> None:
    """`docker login` without a host writes that address."""
    config.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": AUTH}}))
    assert from_docker_config("docker.io") == ANA


@pytest.mark.parametrize("settings", [{"credsStore": "vault"}, {"credHelpers": {"ghcr.io": "vault"}}])
def test_credential_helper_is_used(config: Path, settings: dict[str, object]) -> None:
    """It may be configured for all hosts, or for one."""
    config.write_text(json.dumps(settings))
    assert from_docker_config("ghcr.io") == ANA


def test_helper_without_credentials_is_no_error_and_a_failing_helper_is(config: Path) -> None:
    """A locked keychain is not taken for a registry without a login."""
    config.write_text(json.dumps({"credsStore": "vault"}))
    assert from_docker_config("none.test") is None
    with pytest.raises(RegistryError, match=r"'vault' gave nothing for other\.test.*locked"):
        from_docker_config("other.test")


def test_pull_secret_may_have_either_form() -> None:
    """kubectl writes `auth`, people often write name and password."""
    assert from_pull_secret(json.dumps({"auths": {"ghcr.io": AUTH}}), "ghcr.io") == ANA
    plain = {"auths": {"ghcr.io": {"username": "ana", "password": "a:b"}}}
    assert from_pull_secret(json.dumps(plain), "ghcr.io") == ANA
    assert from_pull_secret(json.dumps({"auths": {"ghcr.io": {"email": "a@b.test"}}}), "ghcr.io") is None
    assert from_pull_secret(json.dumps(plain), "other.test") is None


@pytest.mark.parametrize("text", ["no json", "[]"])
def test_pull_secret_that_is_not_a_json_object_is_refused(text: str) -> None:
    """The error says where the text comes from."""
    with pytest.raises(RegistryError, match="the pull secret is not a JSON object"):
        from_pull_secret(text, "ghcr.io")


def test_password_is_never_shown() -> None:
    """`repr`, which tracebacks show, does not contain it."""
    assert "a:b" not in repr(ANA)
