"""Starting programs."""

import sys
import threading
import time

import pytest

from todo_release.adapters import process
from todo_release.core import masking
from todo_release.errors import CommandError

PYTHON = sys.executable


def test_run_returns_what_was_printed_with_line_ends_as_they_were() -> None:
    """Both streams apart; nothing is translated."""
    code = r"import sys; sys.stdout.write('a\r\nb'); sys.stderr.write(sys.stdin.read())"
    done = process.run([PYTHON, "-c", code], stdin="in\r\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\r\nb", "in\r\n")


def test_run_raises_with_the_last_lines_and_without_the_secret() -> None:
    """The error says what the program said; the secret is masked in output and command line."""
    with pytest.raises(CommandError) as failed:
        process.run([PYTHON, "-c", "raise SystemExit('no hunter2 here')", "hunter2"], secrets=["hunter2"])
    assert "no ***** here" in failed.value.problem
    assert "ended with code 1" in failed.value.problem
    assert "hunter2" not in str(failed.value)


def test_run_without_check_returns_the_code() -> None:
    """Some programs answer by their code."""
    assert process.run([PYTHON, "-c", "raise SystemExit(3)"], check=False).returncode == 3


def test_run_refuses_a_program_that_is_not_there() -> None:
    """With the name that was looked for."""
    with pytest.raises(CommandError, match="'no-such-program' was not found on PATH"):
        process.run(["no-such-program"])


def test_run_ends_a_program_that_takes_too_long() -> None:
    """The limit is part of the message."""
    with pytest.raises(CommandError, match=r"took longer than 0\.2 s"):
        process.run([PYTHON, "-c", "import time; time.sleep(60)"], timeout_seconds=0.2)


def test_mask_hides_the_longest_secret_first() -> None:
    """A secret that begins with another leaves no rest; empty secrets hide nothing."""
    assert masking.mask("abc abcdef", ["abc", "", "abcdef"]) == "***** *****"


def test_stream_gives_lines_as_they_come() -> None:
    """Both streams, while the program still runs; input larger than a pipe holds is no deadlock."""
    lines: list[str] = []
    code = "import sys; print('out'); print('err', file=sys.stderr); print(len(sys.stdin.read()))"
    process.stream([PYTHON, "-u", "-c", code], lines.append, stdin=b"x" * 1_000_000)
    assert lines == ["out", "err", "1000000"]


def test_stream_accepts_a_program_that_reads_no_input() -> None:
    """Its exit code says whether that was a failure."""
    process.stream([PYTHON, "-c", ""], print, stdin=b"x" * 1_000_000)


def test_stream_raises_with_the_last_lines() -> None:
    """What the program said last is most often the reason."""
    with pytest.raises(CommandError, match="ended with code 4: told"):
        process.stream([PYTHON, "-c", "print('told'); raise SystemExit(4)"], lambda line: None)


@pytest.mark.parametrize("is_stubborn", [False, True])
def test_cancelled_program_is_asked_and_then_killed(
    is_stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ignores SIGTERM ends as well, a moment later."""
    monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
    code = "import signal, time\n"
    code += "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if is_stubborn else ""
    code += "print('ready', flush=True); time.sleep(60)"
    cancel = threading.Event()
    began = time.monotonic()
    with pytest.raises(CommandError, match="was cancelled"):
        process.stream([PYTHON, "-c", code], lambda line: cancel.set(), cancel=cancel)
    assert time.monotonic() - began < 10


def test_stream_ends_a_program_that_takes_too_long() -> None:
    """A build that hangs does not hold a release for ever."""
    with pytest.raises(CommandError, match=r"took longer than 0\.2 s"):
        process.stream([PYTHON, "-c", "import time; time.sleep(60)"], print, timeout_seconds=0.2)


def test_stream_kills_the_program_when_its_reader_fails() -> None:
    """Ctrl-C while a build runs leaves no build behind."""

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.stream([PYTHON, "-u", "-c", "print('x'); import time; time.sleep(60)"], interrupt)
    assert time.monotonic() - began < 10
