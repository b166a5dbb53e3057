"""Where values come from."""

from pathlib import Path

import pytest

from todo_cluster.errors import SecretsError
from todo_cluster.secrets import value_sources
from todo_release.adapters.registry.credentials import from_pull_secret

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


def write(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    """Writes a file of values."""
    path = tmp_path / "values.env"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_file_has_lines_and_quoted_values_of_several_lines(tmp_path: Path) -> None:
    """A dollar sign in a password stays as it is."""
    path = write(tmp_path, f'# comment\nA=postgresql://u:p$x@h/d?b=c\nB="{PEM}"\n')
    assert value_sources.read_file(path) == {"A": "postgresql://u:p$x@h/d?b=c", "B": PEM}


def test_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The remedy is the command that corrects it."""
    with pytest.raises(SecretsError, match="Other users") as caught:
        value_sources.read_file(write(tmp_path, "A=b\n", 0o644))
    assert "chmod 600" in caught.value.remedy


def test_file_with_a_line_without_value_is_refused(tmp_path: Path) -> None:
    """The message names the key."""
    with pytest.raises(SecretsError, match="without a value: A"):
        value_sources.read_file(write(tmp_path, "A\nB=c\n"))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(SecretsError, match=r"none\.env"):
        value_sources.read_file(tmp_path / "none.env")


def test_only_variables_of_known_keys_are_read() -> None:
    """Other variables of the shell are none of our business."""
    environ = {"A": "1", "PATH": "/bin", "REGISTRY_TOKEN": "t", "B": ""}
    assert value_sources.read_variables(("A", "B"), environ) == {"A": "1", "REGISTRY_TOKEN": "t"}


def test_person_is_asked_without_showing_and_may_leave_out() -> None:
    """An empty answer leaves a key out."""
    answers = {"A": "1", "B": ""}
    assert value_sources.ask(("A", "B"), lambda prompt: answers[prompt.partition(" ")[0]]) == {"A": "1"}


def test_nobody_to_ask_is_an_error_with_the_keys() -> None:
    """Tests have no terminal, like CI."""
    with pytest.raises(SecretsError, match="A, B") as caught:
        value_sources.ask(("A", "B"))
    assert "--from-environment" in caught.value.remedy


def test_pull_secret_is_made_of_name_and_token() -> None:
    """The engine reads the credentials back."""
    values = value_sources.with_pull_secret(
        {"A": "1", "REGISTRY_USERNAME": "robot", "REGISTRY_TOKEN": "t:x"}, "ghcr.io"
    )
    credentials = from_pull_secret(values.pop(".dockerconfigjson"), "ghcr.io")
    assert credentials is not None
    assert (credentials.username, credentials.password) == ("robot", "t:x")
    assert values == {"A": "1"}
