"""Smoke checks that are programs: how they are started, what is read of their output, how they fail."""

import json
import sys
import time
from pathlib import Path

import pytest

from todo_release.config.model import SmokeCommand, SmokeSettings
from todo_release.environments.smoke.commands import parse_step, run_command
from todo_release.environments.smoke.result import CheckFailedError, CommandStep, SmokeTarget


def python(code: str, *arguments: str, timeout_seconds: float = 60) -> SmokeCommand:
    """A smoke command that runs Python code."""
    argv = (sys.executable, "-c", code, *arguments)
    return SmokeCommand(name="user", argv=argv, timeout_seconds=timeout_seconds)


def run(command: SmokeCommand, root: Path, settings: SmokeSettings | None = None) -> list[CommandStep]:
    """Runs a command; returns the steps as they were reported."""
    steps: list[CommandStep] = []
    target = SmokeTarget("https://shop.test", "1.2.3", root)
    assert run_command(command, settings or SmokeSettings(), target, steps.append) == tuple(steps)
    return steps


def failure(command: SmokeCommand, root: Path) -> CheckFailedError:
    """Runs a command that fails; returns its error."""
    with pytest.raises(CheckFailedError) as failed:
        run(command, root)
    return failed.value


PRINT_ARGUMENTS = """
import json, os, sys
for name in sys.argv[1:]:
    print(json.dumps({"step": os.environ.get(name, name), "milliseconds": 1}))
"""


def test_program_gets_url_and_version_in_its_arguments(tmp_path: Path) -> None:
    """Both are replaced wherever they stand in an argument, and nothing else is."""
    steps = run(python(PRINT_ARGUMENTS, "--url=${url}/api", "${version}", "$HOME ${other}"), tmp_path)
    assert [step.name for step in steps] == ["--url=https://shop.test/api", "1.2.3", "$HOME ${other}"]


def test_program_gets_the_connection_in_its_environment(tmp_path: Path) -> None:
    """The file's path is absolute, so that it is right in any folder; what is not set is not there."""
    settings = SmokeSettings(connect_to="127.0.0.1:8443", ca_file="ca.pem")
    command = python(PRINT_ARGUMENTS, "SMOKE_CONNECT_TO", "SMOKE_CA_FILE")
    assert [step.name for step in run(command, tmp_path, settings)] == [
        "127.0.0.1:8443",
        f"{tmp_path}/ca.pem",
    ]
    assert [step.name for step in run(command, tmp_path)] == ["SMOKE_CONNECT_TO", "SMOKE_CA_FILE"]


def test_program_of_the_repository_runs_at_its_root(tmp_path: Path) -> None:
    """A path with a slash starts there, from whatever folder the engine was called."""
    script = tmp_path / "bin" / "smoke"
    script.parent.mkdir()
    script.write_text("""#!/bin/sh\nprintf '{"step": "%s", "milliseconds": 1}\\n' "$PWD"\n""")
    script.chmod(0o755)
    command = SmokeCommand(name="script", argv=("bin/smoke",))
    assert [step.name for step in run(command, tmp_path)] == [str(tmp_path)]


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ('{"step": "a", "milliseconds": 1.5}', CommandStep("a", 1.5)),
        ('{"step": "a", "milliseconds": 0, "detail": 3, "x": 1}', CommandStep("a", 0, detail="3")),
        ('{"step": "a", "milliseconds": 1, "error": "no"}', CommandStep("a", 1, error="no")),
        ('{"step": "a", "milliseconds": 1, "error": null}', CommandStep("a", 1)),
        ('{"step": "a"}', None),
        ('{"step": 1, "milliseconds": 1}', None),
        ('{"step": "a", "milliseconds": "1"}', None),
        ('{"step": "a", "milliseconds": true}', None),
        ('{"step": "a", "milliseconds": NaN}', None),
        ('{"step": "a", "milliseconds": 1e400}', None),
        ('["step", "milliseconds"]', None),
        ("[" * 100_000, None),
        ("starting", None),
        ("", None),
    ],
)  # fmt: skip
def test_line_is_a_step_or_something_else(line: str, step: CommandStep | None) -> None:
    """What does not fit is never an error of its own."""
    assert parse_step(line) == step


def test_failed_step_is_the_error(tmp_path: Path) -> None:
    """The last step that reports an error says more than the exit code; earlier steps are kept."""
    code = """
print('{"step": "sign up", "milliseconds": 1}')
print('some note')
print('{"step": "list", "milliseconds": 2, "error": "answered 500"}')
raise SystemExit(1)
"""
    error = failure(python(code), tmp_path)
    assert (str(error), error.can_repeat) == ("list: answered 500", True)
    assert [step.name for step in error.steps] == ["sign up", "list"]


def test_program_that_reports_no_error_is_shown_with_its_last_lines(tmp_path: Path) -> None:
    """Both streams count, steps do not."""
    code = """
import sys
print('{"step": "sign up", "milliseconds": 1}')
print('on stdout', flush=True)
sys.exit('on stderr')
"""
    assert str(failure(python(code), tmp_path)) == "ended with code 1; its last lines: on stdout | on stderr"
    silent = failure(python("raise SystemExit(3)"), tmp_path)
    assert str(silent) == "ended with code 3; it printed nothing else"


def test_exit_code_decides_and_not_what_a_step_reports(tmp_path: Path) -> None:
    """A program may report an error of a step that it can do without."""
    code = """print('{"step": "sign up", "milliseconds": 1, "error": "slow"}')"""
    assert run(python(code), tmp_path) == [CommandStep("sign up", 1, error="slow")]


def test_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """The last step says where it hangs; a child that keeps the output open does not hold up the limit."""
    code = """
import subprocess, sys
print('{"step": "sign up", "milliseconds": 1}', flush=True)
subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"])
"""
    began_at = time.monotonic()
    error = failure(python(code, timeout_seconds=1), tmp_path)
    assert str(error) == (
        "took longer than 1 s and was ended after the step 'sign up'; it printed nothing else"
    )
    assert time.monotonic() - began_at < 20


def test_missing_program_cannot_be_repeated(tmp_path: Path) -> None:
    """Neither on PATH nor in the repository."""
    for program in ("no-such-program", "bin/no-such-program"):
        error = failure(SmokeCommand(name="user", argv=(program,)), tmp_path)
        assert "no-such-program' was not found; install it or correct smoke.commands" in str(error)
        assert not error.can_repeat


def test_secrets_are_masked_by_value_and_by_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps as well as in the last lines."""
    monkeypatch.setenv("SHOP_PASSWORD", 'hunter"two')
    code = """
import json, os
print(json.dumps({"step": "sign in", "milliseconds": 1, "detail": "as " + os.environ["SHOP_PASSWORD"]}))
print("sent", os.environ["SHOP_PASSWORD"], "and token=abcdef123")
raise SystemExit(1)
"""
    error = failure(python(code), tmp_path)
    assert error.steps == (CommandStep("sign in", 1, detail="as *****"),)
    assert str(error) == "ended with code 1; its last lines: sent ***** and token=*****"


def test_long_output_is_shortened(tmp_path: Path) -> None:
    """A page of HTML in an error does not fill the screen."""
    line = json.dumps({"step": "open", "milliseconds": 1, "error": "<p>\n" * 1000})
    assert len(str(failure(python(f"print({line!r}); raise SystemExit(1)"), tmp_path))) < 400
