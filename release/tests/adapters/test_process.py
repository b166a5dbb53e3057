"""Programs that the engine starts: output, failure, time limit, cancellation."""

import sys
import threading
import time

import pytest

from todo_release.adapters import process
from todo_release.errors import CommandError

PYTHON = sys.executable


def test_run_returns_what_was_printed_with_line_ends_as_they_were() -> None:
    """Stdout and stderr are separate, and line ends are not translated."""
    code = r"import sys; sys.stdout.write('a\r\nb'); sys.stderr.write(sys.stdin.read())"
    done = process.run([PYTHON, "-c", code], stdin="in\r\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\r\nb", "in\r\n")


def test_run_raises_with_the_last_lines_and_without_the_secret() -> None:
    """The error quotes the program, with the secret masked in output and command line."""
    with pytest.raises(CommandError) as failed:
        process.run([PYTHON, "-c", "raise SystemExit('no hunter2 here')", "hunter2"], secrets=["hunter2"])
    assert "no ***** here" in failed.value.problem
    assert "ended with code 1" in failed.value.problem
    assert "hunter2" not in str(failed.value)


def test_run_without_check_returns_the_code() -> None:
    """With check=False a non-zero code is a result and not an error."""
    assert process.run([PYTHON, "-c", "raise SystemExit(3)"], check=False).returncode == 3


def test_run_refuses_a_program_that_is_not_installed() -> None:
    """The error names the program."""
    with pytest.raises(CommandError, match="'no-such-program' was not found on PATH"):
        process.run(["no-such-program"])


def test_run_ends_a_program_that_takes_too_long() -> None:
    """The message contains the limit."""
    with pytest.raises(CommandError, match=r"took longer than 0\.2 s"):
        process.run([PYTHON, "-c", "import time; time.sleep(60)"], timeout_seconds=0.2)


def test_stream_without_check_returns_the_code() -> None:
    """The lines have been given; the caller decides what the code means."""
    lines: list[str] = []
    code = "print('reason'); raise SystemExit(3)"
    assert process.stream([PYTHON, "-c", code], lines.append, check=False) == 3
    assert lines == ["reason"]


def test_stream_ends_children_too_when_asked_to() -> None:
    """A child that keeps the output open would otherwise hold up the time limit."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    began_at = time.monotonic()
    with pytest.raises(CommandError, match=r"took longer than 0\.3 s"):
        process.stream([PYTHON, "-c", code], print, timeout_seconds=0.3, with_children=True)
    assert time.monotonic() - began_at < 10


def test_stream_passes_on_lines_while_the_program_runs() -> None:
    """Lines of both streams are passed on, and input larger than a pipe buffer causes no deadlock."""
    lines: list[str] = []
    code = "import sys; print('out'); print('err', file=sys.stderr); print(len(sys.stdin.read()))"
    process.stream([PYTHON, "-u", "-c", code], lines.append, stdin=b"x" * 1_000_000)
    assert lines == ["out", "err", "1000000"]


def test_stream_accepts_a_program_that_reads_no_input() -> None:
    """Unread input is not a failure when the exit code is 0."""
    process.stream([PYTHON, "-c", ""], print, stdin=b"x" * 1_000_000)


def test_stream_raises_with_the_last_lines() -> None:
    """The error contains the last output, which is most often the reason."""
    with pytest.raises(CommandError, match="ended with code 4: the reason"):
        process.stream([PYTHON, "-c", "print('the reason'); raise SystemExit(4)"], lambda line: None)


@pytest.mark.parametrize("ignores_sigterm", [False, True])
def test_cancelled_program_gets_sigterm_and_then_sigkill(
    ignores_sigterm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ignores SIGTERM is killed a moment later."""
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    code = "import signal, time\n"
    code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if ignores_sigterm else ""
    code += "print('ready', flush=True); time.sleep(60)"
    cancel = threading.Event()
    began = time.monotonic()
    with pytest.raises(CommandError, match="was cancelled"):
        process.stream([PYTHON, "-c", code], lambda line: cancel.set(), cancel=cancel)
    assert time.monotonic() - began < 10


def test_stream_ends_a_program_that_takes_too_long() -> None:
    """A program that does not end is stopped after its time limit."""
    with pytest.raises(CommandError, match=r"took longer than 0\.2 s"):
        process.stream([PYTHON, "-c", "import time; time.sleep(60)"], print, timeout_seconds=0.2)


def test_stream_kills_the_program_when_its_reader_fails() -> None:
    """An exception in `on_line`, such as Ctrl-C, does not leave the program running."""

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.stream([PYTHON, "-u", "-c", "print('x'); import time; time.sleep(60)"], interrupt)
    assert time.monotonic() - began < 10
