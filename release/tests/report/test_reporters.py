"""What people and programs are shown of a run."""

import io
import json

import pytest

from todo_release.core.formatting import duration
from todo_release.errors import ConfigError, ReleaseError, RolloutError
from todo_release.report.action_log import ActionLogReporter
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter
from todo_release.report.live import LiveReporter
from todo_release.report.reporter import Reporter, choose_reporter
from todo_release.report.text import error_lines

from ..doubles.harness import Harness, killed_after
from ..shop import Tree
from .shown_runs import FAILURE, run


def test_lines_show_every_step_with_its_reason_and_its_end(harness: Harness) -> None:
    """A step has one line at its start and one at its end, with the output of programs between them."""
    stream = io.StringIO()
    run(harness, LineReporter(stream, can_ask=False))
    lines = stream.getvalue().splitlines()
    assert lines[:4] == [
        "✓ 0.1.0 is the first release",
        lines[1],
        "• Preflight staging: finds what would fail before anything is changed",
        "    staging: no errors, no warnings, no notes in 0.1 s",
    ]
    build = lines.index("• Build web: rebuilt: never released before")
    assert lines[build + 1].startswith("    Build web: step 1 of registry.test/shop/web:content-")
    assert any(line.startswith("✓ Build web (") for line in lines)
    assert lines[-1].startswith("✓ 0.1.0: all done in ")


def test_lines_of_steps_that_run_together_carry_the_name_of_their_step(harness: Harness) -> None:
    """Only the output of builds is mixed, so only its lines are longer."""
    stream = io.StringIO()
    run(harness, LineReporter(stream, can_ask=False))
    lines = stream.getvalue().splitlines()
    assert [line.partition(" of ")[0] for line in lines if " step 1 of " in line] == [
        "    Build web: step 1",
        "    Build api: step 1",
    ]


def test_lines_say_when_there_was_nothing_to_do(harness: Harness) -> None:
    """A finished release says so once, and shows why each step is done."""
    run(harness, LineReporter(io.StringIO(), can_ask=False))
    stream = io.StringIO()
    run(harness, LineReporter(stream, can_ask=False))
    lines = stream.getvalue().splitlines()
    assert "✓ 0.1.0: nothing to do, nothing was written." in lines
    assert "✓ Deploy 0.1.0 to staging: revision 1 runs these digests with these values and is ready" in lines
    assert not any(line.startswith("•") for line in lines)


def test_lines_name_the_step_in_which_an_earlier_run_was_interrupted(harness: Harness) -> None:
    """The run names the interrupted step and continues."""
    with killed_after(harness, "~tag"):
        harness.release("0.1.0")
    stream = io.StringIO()
    run(harness, LineReporter(stream, can_ask=False))
    assert "• an earlier run was interrupted in tag; continuing from there\n" in stream.getvalue()


def test_plan_that_is_refused_lists_the_reasons(harness: Harness, tree: Tree) -> None:
    """Each refusal is shown with its remedy, and counted at the end."""
    tree.write({"new.txt": ""})
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).show_plan(harness.session.plan_release("0.1.0"))
    *_, refusal, verdict = stream.getvalue().splitlines()
    assert refusal.startswith(
        "✗ The work tree has changes that are not committed: new.txt. Commit or remove them"
    )
    assert verdict == "0.1.0: refused, for 1 reason above."


def test_lines_do_not_ask_where_nobody_answers() -> None:
    """Without a terminal the answer is no."""
    assert LineReporter(io.StringIO(), can_ask=False).ask("Deploy?") is False


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), ("Yes", True), ("", False), ("n", False)])
def test_lines_accept_only_yes_as_yes(monkeypatch: pytest.MonkeyPatch, answer: str, agreed: bool) -> None:
    """An empty answer means no."""
    monkeypatch.setattr("builtins.input", lambda: answer)
    stream = io.StringIO()
    assert LineReporter(stream, can_ask=True).ask("Deploy?") is agreed
    assert stream.getvalue() == "Deploy? [y/N] "


def test_error_lines_hold_cause_rollback_evidence_remedy_and_code() -> None:
    """An error is shown with its cause, what was undone, the evidence, the remedy and the exit code."""
    error = RolloutError("It crashes.", remedy="Correct it.", code=26, evidence=".release/evidence")
    error.add_note("rolled back to 0.1.0 (revision 1)")
    assert list(error_lines(error)) == [
        "✗ It crashes.",
        "  Rolled back to 0.1.0 (revision 1).",
        "  Evidence: .release/evidence",
        "  Correct it.",
        "  (exit code 26)",
    ]


def test_error_lines_show_the_place_of_a_mistake() -> None:
    """A mistake in release.yaml is shown as file:line:column, which terminals turn into a link."""
    error = ConfigError("Unknown.", remedy="Remove it.", file="release.yaml", line=3, column=5)
    assert next(iter(error_lines(error))) == "✗ release.yaml:3:5: Unknown."


def test_json_reporter_writes_one_object_a_line_each_with_an_event(harness: Harness) -> None:
    """A program can follow the run by step ids."""
    stream = io.StringIO()
    reporter = JsonReporter(stream)
    run(harness, reporter)
    reporter.show_error(FAILURE)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert events[0]["event"] == "plan-started"
    assert [event["step"] for event in events if event["event"] == "step-ended"] == [
        step["id"] for step in events[0]["steps"]
    ]
    assert events[-2]["event"] == "plan-ended"
    assert events[-1] == {
        "event": "failed",
        "kind": "RolloutError",
        "problem": "It crashes.",
        "remedy": "Correct it.",
        "notes": [],
        "evidence": ".release/evidence",
        "exit_code": 26,
    }


def test_json_reporter_never_agrees() -> None:
    """The question is written, so that a program knows what it can agree to beforehand."""
    stream = io.StringIO()
    assert JsonReporter(stream).ask("Deploy?") is False
    assert json.loads(stream.getvalue())["question"] == "Deploy?"


def test_live_shows_the_plan_as_steps_with_times(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output of programs is not shown when all steps succeed."""
    live = LiveReporter(has_color=False)
    run(harness, live)
    live.close()
    shown = capsys.readouterr().out
    assert "✓ Build web" in shown
    assert "✓ Verify 0.1.0 in production" in shown
    assert "step 1 of" not in shown
    assert "0.1.0: all done in" in shown


def test_live_shows_the_output_of_a_step_that_failed(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed step is shown with its last output and the error."""
    harness.failing_checks["https://staging.example.com"] = "500"
    live = LiveReporter(has_color=False)
    with pytest.raises(ReleaseError) as failed:
        run(harness, live)
    live.show_error(failed.value)
    shown = capsys.readouterr().out
    assert "✗ Verify 0.1.0 in staging" in shown
    assert "there was no earlier version to go back to" in shown
    assert "(exit code 13)" in shown


@pytest.mark.parametrize(
    ("output", "environ", "kind"),
    [
        ("json", {}, JsonReporter),
        ("lines", {}, LineReporter),
        ("auto", {}, LineReporter),
        ("auto", {"GITHUB_ACTIONS": "true"}, ActionLogReporter),
        ("json", {"GITHUB_ACTIONS": "true"}, JsonReporter),
        ("live", {}, LiveReporter),
    ],
)
def test_lines_are_chosen_where_nothing_can_be_redrawn(
    output: str, environ: dict[str, str], kind: type[Reporter]
) -> None:
    """Without a terminal, as under pytest, `auto` means lines."""
    assert isinstance(choose_reporter(output, environ), kind)  # type: ignore[arg-type]  # from a table


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.3, "12 s"), (185, "3 min 05 s")])
def test_duration_is_as_exact_as_people_need(seconds: float, text: str) -> None:
    """Only durations below ten seconds have tenths."""
    assert duration(seconds) == text
