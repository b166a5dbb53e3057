"""The program: what it prints, how it ends, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from todo_synthetic_user.program import main

from .application_double import ApplicationDouble, running_application
from .test_journey import STEPS


@pytest.fixture
def application() -> Iterator[ApplicationDouble]:
    """The double of the application, running."""
    with running_application() as double:
        yield double


def records(output: str) -> list[dict[str, object]]:
    """Parses one JSON object a line."""
    return [json.loads(line) for line in output.splitlines()]


def test_program_prints_an_object_for_each_step(
    application: ApplicationDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """A journey that passes ends with 0; each line has the name and time of a step."""
    assert main(["--url", application.url]) == 0
    printed = records(capsys.readouterr().out)
    assert [record["step"] for record in printed] == STEPS
    assert {tuple(record) for record in printed} == {("step", "milliseconds")}


def test_program_prints_the_error_of_the_failed_step(
    application: ApplicationDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """A journey that fails ends with 1; its last line says what was seen."""
    application.answers = {"POST /api/todos": (503, {})}
    assert main(["--url", application.url]) == 1
    last = records(capsys.readouterr().out)[-1]
    assert (last["step"], last["error"]) == (
        "create a task",
        "POST /api/todos answered 503 instead of 201: '{}'",
    )


def test_program_takes_the_address_from_the_environment(
    application: ApplicationDouble, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """$SMOKE_CONNECT_TO replaces the address of the URL; the double refuses the foreign Origin."""
    monkeypatch.setenv("SMOKE_CONNECT_TO", f"127.0.0.1:{application.server_port}")
    assert main(["--url", "http://todo.test"]) == 1
    assert "INVALID_ORIGIN" in capsys.readouterr().out


def test_program_refuses_an_address_of_another_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong arguments end with 2, as everywhere."""
    with pytest.raises(SystemExit) as ended:
        main(["--url", "http://todo.test", "--connect-to", "nowhere"])
    assert ended.value.code == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM")
def test_program_deletes_the_account_when_it_is_terminated(application: ApplicationDouble) -> None:
    """A smoke check that takes too long is ended by SIGTERM; the account goes all the same."""
    application.lost = {"notification"}
    command = [sys.executable, "-m", "todo_synthetic_user", "--url", application.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["step"] == "complete it":
                break
        assert len(application.accounts) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    assert application.accounts == {}
