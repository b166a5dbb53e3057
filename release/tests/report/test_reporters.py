"""What people and programs are shown."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError, ReleaseError, RolloutError
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import Finding, error, note, warning
from todo_release.preflight.inspection import Inspection
from todo_release.report import github_actions, markdown
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter
from todo_release.report.live import LiveReporter
from todo_release.report.reporter import Reporter, choose
from todo_release.report.text import error_lines

from ..doubles.world import World, killed_after
from ..shop import Tree

DOOM = RolloutError("It crashes.", remedy="Correct it.", code=26, evidence=".release/evidence")


@pytest.fixture
def world(tree: Tree) -> World:
    """Nothing was ever released."""
    return World(tree.path)


def run(world: World, reporter: Reporter, version: str = "0.1.0") -> None:
    """Release, and show it."""
    session = world.session
    session.run(session.release(version), reporter)


def test_lines_tell_every_step_its_reason_and_its_end(world: World) -> None:
    """One line when a step begins, one when it ends, what programs say between them."""
    stream = io.StringIO()
    run(world, LineReporter(stream, can_ask=False))
    lines = stream.getvalue().splitlines()
    assert lines[:4] == [
        "✓ 0.1.0 is the first release",
        lines[1],
        "• Preflight staging: finds what would fail before anything is changed",
        "    staging: no errors, no warnings, no notes in 0.1 s",
    ]
    build = lines.index("• Build web: rebuilt: never released before")
    assert lines[build + 1].startswith("    step 1 of registry.test/shop/web:content-")
    assert any(line.startswith("✓ Build web (") for line in lines)
    assert lines[-1].startswith("✓ 0.1.0: all done in ")


def test_lines_say_when_there_was_nothing_to_do(world: World) -> None:
    """Once, and every step with what proves it."""
    run(world, LineReporter(io.StringIO(), can_ask=False))
    stream = io.StringIO()
    run(world, LineReporter(stream, can_ask=False))
    lines = stream.getvalue().splitlines()
    assert "✓ 0.1.0: nothing to do, nothing was written." in lines
    assert "✓ Deploy 0.1.0 to staging: revision 1 runs these digests with these values and is ready" in lines
    assert not any(line.startswith("•") for line in lines)


def test_lines_name_the_step_an_earlier_run_was_cut_off_in(world: World) -> None:
    """And go on."""
    with killed_after(world, "~tag"):
        world.release("0.1.0")
    stream = io.StringIO()
    run(world, LineReporter(stream, can_ask=False))
    assert "• an earlier run was cut off in tag; going on from there\n" in stream.getvalue()


def test_plan_that_is_refused_lists_the_reasons(world: World, tree: Tree) -> None:
    """With what to do about each, and a count at the end."""
    tree.write({"new.txt": ""})
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).plan(world.session.release("0.1.0"))
    *_, refusal, verdict = stream.getvalue().splitlines()
    assert refusal.startswith(
        "✗ The work tree has changes that are not committed: new.txt. Commit or remove them"
    )
    assert verdict == "0.1.0: refused, for 1 reason above."


def test_lines_do_not_ask_where_nobody_answers() -> None:
    """In CI the answer is no, and the error says `--yes`."""
    assert LineReporter(io.StringIO(), can_ask=False).ask("Deploy?") is False


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), ("Yes", True), ("", False), ("n", False)])
def test_lines_take_only_yes_for_yes(monkeypatch: pytest.MonkeyPatch, answer: str, agreed: bool) -> None:
    """Return alone changes nothing."""
    monkeypatch.setattr("builtins.input", lambda: answer)
    stream = io.StringIO()
    assert LineReporter(stream, can_ask=True).ask("Deploy?") is agreed
    assert stream.getvalue() == "Deploy? [y/N] "


def test_error_lines_hold_cause_undoing_evidence_remedy_and_code() -> None:
    """One cause, what was done about it, where to look, what to do."""
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
    """In the form a terminal makes a link of."""
    error = ConfigError("Unknown.", remedy="Remove it.", file="release.yaml", line=3, column=5)
    assert next(iter(error_lines(error))) == "✗ release.yaml:3:5: Unknown."


def test_machine_writes_only_json_with_an_event_each(world: World) -> None:
    """A program follows the run by step ids."""
    stream = io.StringIO()
    machine = JsonReporter(stream)
    run(world, machine)
    machine.failed(DOOM)
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


def test_machine_never_agrees() -> None:
    """The question is told, so that a program knows what it should have said beforehand."""
    stream = io.StringIO()
    assert JsonReporter(stream).ask("Deploy?") is False
    assert json.loads(stream.getvalue())["question"] == "Deploy?"


def test_live_shows_the_plan_as_steps_with_times(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Output of programs is kept back when all goes well."""
    live = LiveReporter(has_color=False)
    run(world, live)
    live.close()
    shown = capsys.readouterr().out
    assert "✓ Build web" in shown
    assert "✓ Verify 0.1.0 in production" in shown
    assert "step 1 of" not in shown
    assert "0.1.0: all done in" in shown


def test_live_shows_the_output_of_a_step_that_failed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then it is what a person needs."""
    world.failing_checks["https://staging.example.com"] = "500"
    live = LiveReporter(has_color=False)
    with pytest.raises(ReleaseError) as failed:
        run(world, live)
    live.failed(failed.value)
    shown = capsys.readouterr().out
    assert "✗ Verify 0.1.0 in staging" in shown
    assert "there was no earlier version to go back to" in shown
    assert "(exit code 13)" in shown


def test_summary_is_a_table_with_the_cause_on_top(world: World, tmp_path: Path) -> None:
    """What a person sees first on the page of the workflow run; pipes do not break the table."""
    world.failing_checks["https://staging.example.com"] = "5|0"
    path = tmp_path / "summary.md"
    summary = github_actions.Summary(path)
    with pytest.raises(ReleaseError) as failed:
        run(world, summary)  # type: ignore[arg-type]  # a listener is enough here
    summary.write(failed.value)
    lines = path.read_text().splitlines()
    assert lines[0] == r"### :x: staging does not answer as it should: home: 5\|0."
    assert any(
        line.startswith("| :white_check_mark: | Build web | rebuilt: never released") for line in lines
    )
    assert any(line.startswith("| :x: | Verify 0.1.0 in staging |") for line in lines)
    assert "| | Deploy 0.1.0 to production | first deployment | | not reached |" in lines


def test_summary_of_a_good_run_shows_digests_and_revisions(world: World, tmp_path: Path) -> None:
    """Old runs can be compared by their summaries."""
    path = tmp_path / "summary.md"
    summary = github_actions.Summary(path)
    run(world, summary)  # type: ignore[arg-type]  # a listener is enough here
    summary.write(None)
    text = path.read_text()
    assert text.startswith("### :white_check_mark: 0.1.0\n")
    assert "| `sha256:" in text
    assert "`staging: no errors, no warnings, no notes in 0.1 s`" in path.read_text()


def test_annotation_points_at_the_line_and_stays_on_one_line() -> None:
    """GitHub shows it beside the file."""
    stream = io.StringIO()
    mistake = ConfigError("50% wrong\nreally.", remedy="No.", file="release.yaml", line=3, column=5)
    github_actions.annotate(mistake, stream)
    assert stream.getvalue() == (
        "::error file=release.yaml,line=3,col=5::release.yaml:3:5: 50%25 wrong%0Areally. No.\n"
    )


def test_annotation_without_a_place_stands_on_top() -> None:
    """An error of the cluster has no file."""
    stream = io.StringIO()
    github_actions.annotate(DOOM, stream)
    assert stream.getvalue() == "::error::It crashes. Correct it.\n"


def test_run_url_is_known_only_in_a_workflow() -> None:
    """The history links to it."""
    environ = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"}
    assert github_actions.run_url(environ) == "https://github.com/o/r/actions/runs/7"
    assert github_actions.run_url({}) is None


@pytest.mark.parametrize(
    ("output", "environ", "kind"),
    [
        ("json", {}, JsonReporter),
        ("lines", {}, LineReporter),
        ("auto", {}, LineReporter),
        ("live", {}, LiveReporter),
    ],
)
def test_choose_gives_lines_where_nothing_can_be_redrawn(
    output: str, environ: dict[str, str], kind: type[Reporter]
) -> None:
    """Under pytest there is no terminal."""
    assert isinstance(choose(output, environ), kind)  # type: ignore[arg-type]  # from a table


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.3, "12 s"), (185, "3 min 05 s")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Tenths only where they matter."""
    assert duration(seconds) == text


def inspection(*findings: Finding) -> Inspection:
    """What was found in staging."""
    nodes = Table("Nodes", ("node", "cpu"), (("n1", "1900m"),))
    return Inspection(
        environment="staging",
        version="0.1.0",
        findings=findings,
        nodes=nodes,
        skips={"hpa": "why"},
        seconds=0.84,
    )


FINDINGS = (
    replace(
        error("Deployment/web", "It | needs 350m.", "Add a node.", ("spec", "containers", 0, "image")),
        check="capacity",
        place=Place("chart/values.yaml", 12, 3),
    ),
    replace(note("Namespace/staging", "It is new.", "Nothing."), check="state"),
)


def test_inspection_is_shown_by_lines_worst_first_then_nodes_and_verdict() -> None:
    """Two lines a finding: what, and what to do."""
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).inspection(inspection(*FINDINGS))
    assert stream.getvalue().splitlines() == [
        "✗ capacity: Deployment/web spec.containers[0].image: It | needs 350m. (chart/values.yaml:12)",
        "  Add a node. See docs/runbooks/preflight-capacity.md.",
        "• state: Namespace/staging: It is new.",
        "  Nothing. See docs/runbooks/preflight-state.md.",
        "Nodes",
        "  node  cpu",
        "  n1    1900m",
        "staging: 1 error, no warnings, 1 note in 0.8 s",
    ]


@pytest.mark.parametrize(
    ("others", "told"),
    [
        (1, "  The same at 1 other place: Deployment/1."),
        (5, "  The same at 5 other places: Deployment/1, Deployment/2, Deployment/3, and 2 more."),
    ],
)
def test_what_is_alike_at_several_places_is_told_once(others: int, told: str) -> None:
    """With the names of some; programs get all."""
    alike = [
        replace(warning(f"Deployment/{number}", "Cause.", "Remedy."), check="hygiene")
        for number in range(others + 1)
    ]
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).inspection(inspection(*alike))
    assert stream.getvalue().splitlines()[:3] == [
        "! hygiene: Deployment/0: Cause.",
        told,
        "  Remedy. See docs/runbooks/preflight-hygiene.md.",
    ]


def test_inspection_is_shown_live_in_colours(capsys: pytest.CaptureFixture[str]) -> None:
    """The same lines."""
    LiveReporter(has_color=False).inspection(inspection(*FINDINGS))
    assert "✗ capacity: Deployment/web spec.containers[0].image" in capsys.readouterr().out


def test_inspection_for_programs_is_one_object() -> None:
    """Findings, nodes, what was skipped."""
    stream = io.StringIO()
    JsonReporter(stream).inspection(inspection(*FINDINGS))
    body = json.loads(stream.getvalue())
    assert (body["event"], body["environment"], body["skipped"]) == ("preflight", "staging", {"hpa": "why"})
    assert body["findings"][0] == {
        "check": "capacity",
        "severity": "error",
        "object": "Deployment/web",
        "field": "spec.containers[0].image",
        "cause": "It | needs 350m.",
        "remedy": "Add a node.",
        "runbook": "docs/runbooks/preflight-capacity.md",
        "file": "chart/values.yaml",
        "line": 12,
    }
    assert body["nodes"]["rows"] == [{"node": "n1", "cpu": "1900m"}]


def test_inspection_is_markdown_in_a_summary() -> None:
    """A table of findings with links to their runbooks, a table of nodes."""
    lines = markdown.of_inspection(inspection(*FINDINGS)).splitlines()
    assert lines[0] == "### :x: Preflight of staging: 1 error, no warnings, 1 note in 0.8 s"
    assert lines[4] == (
        "| :x: | [capacity](docs/runbooks/preflight-capacity.md) |"
        " Deployment/web<br>`spec.containers[0].image` "
        "| It \\| needs 350m.<br>`chart/values.yaml:12` | Add a node. |"
    )
    assert lines[-3:] == ["|---|---|", "| n1 | 1900m |", ""]
    quiet = markdown.of_inspection(replace(inspection(), nodes=None))
    assert quiet.splitlines() == [
        "### :white_check_mark: Preflight of staging: no errors, no warnings, no notes in 0.8 s",
        "",
    ]


def test_findings_of_a_failed_release_are_annotated_one_by_one() -> None:
    """Each at its line."""
    stream = io.StringIO()
    github_actions.annotate(
        PreflightError("It would fail.", remedy="Correct it.", findings=FINDINGS[:1]), stream
    )
    assert stream.getvalue() == (
        "::error file=chart/values.yaml,line=12,col=3::Deployment/web: It | needs 350m. Add a node.\n"
    )
    assert list(github_actions.annotations(FINDINGS[1:])) == [
        "::notice::Namespace/staging: It is new. Nothing."
    ]
