"""What people, programs and GitHub are shown."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.core.yaml_positions import Place
from todo_release.errors import ConfigError, ReleaseError, RolloutError
from todo_release.pipeline.events import RunEvent, StepEnded, StepFailed, StepProgressed, StepStarted
from todo_release.pipeline.steps import BuildImage, Deploy
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import Finding, error, note, warning
from todo_release.preflight.inspection import Inspection
from todo_release.report import github_actions, markdown
from todo_release.report.action_log import ActionLogReporter
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter
from todo_release.report.live import LiveReporter
from todo_release.report.reporter import Reporter, choose_reporter
from todo_release.report.text import error_lines

from ..doubles.harness import Harness, killed_after
from ..shop import Tree

FAILURE = RolloutError("It crashes.", remedy="Correct it.", code=26, evidence=".release/evidence")


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which nothing was released."""
    return Harness(tree.path)


def run(harness: Harness, reporter: Reporter, version: str = "0.1.0") -> None:
    """Releases a version and shows it with a reporter."""
    session = harness.session
    session.run(session.plan_release(version), reporter)


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


def events_of_two_builds() -> list[RunEvent]:
    """Returns the events of two builds at the same time, of which one fails, and of a deployment."""
    web, api = (
        BuildImage(image=image, repository="r", content_id="c", reason="new") for image in ("web", "api")
    )
    deploy = Deploy(environment="staging", version="0.1.0", reason="first deployment")
    return [
        StepStarted(web),
        StepStarted(api),
        StepProgressed(web, "web 1", False),
        StepProgressed(api, "::error::api 1", False),
        StepProgressed(web, "web 2", False),
        StepFailed(api, 1.0, FAILURE),
        StepEnded(web, was_done=False, seconds=2.0, outcome={}),
        StepStarted(deploy),
        StepProgressed(deploy, "1/2 ready", True),
        StepEnded(deploy, was_done=False, seconds=3.0, outcome={}),
    ]


def test_log_of_github_has_one_group_a_step(harness: Harness) -> None:
    """Groups never overlap, and output that looks like a command to GitHub is none."""
    stream = io.StringIO()
    reporter = ActionLogReporter(stream)
    for event in events_of_two_builds():
        reporter(event)
    assert stream.getvalue().splitlines() == [
        "• Build web: new",
        "• Build api: new",
        "::group::Build api",
        "  | ::error::api 1",
        "::endgroup::",
        "✗ Build api (1.0 s)",
        "::group::Build web",
        "  | web 1",
        "  | web 2",
        "::endgroup::",
        "✓ Build web (2.0 s)",
        "• Deploy 0.1.0 to staging: first deployment",
        "::group::Deploy 0.1.0 to staging",
        "  | 1/2 ready",
        "::endgroup::",
        "✓ Deploy 0.1.0 to staging (3.0 s)",
    ]
    assert reporter.ask("Deploy?") is False


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


def test_job_summary_is_a_table_with_the_cause_on_top(harness: Harness, tmp_path: Path) -> None:
    """The cause of a failure comes first, and pipes in a text do not break the table."""
    harness.failing_checks["https://staging.example.com"] = "5|0"
    path = tmp_path / "summary.md"
    summary = github_actions.JobSummary(path)
    with pytest.raises(ReleaseError) as failed:
        run(harness, summary)  # type: ignore[arg-type]  # a listener is enough here
    summary.write(failed.value)
    lines = path.read_text().splitlines()
    assert lines[0] == r"### :x: staging does not answer as it should: home: 5\|0."
    assert any(
        line.startswith("| :white_check_mark: | Build web | rebuilt: never released") for line in lines
    )
    assert any(line.startswith("| :x: | Verify 0.1.0 in staging |") for line in lines)
    assert "| | Deploy 0.1.0 to production | first deployment | | not reached |" in lines


def test_job_summary_of_a_good_run_shows_digests_and_revisions(harness: Harness, tmp_path: Path) -> None:
    """The results of builds, deployments and inspections are in the table."""
    path = tmp_path / "summary.md"
    summary = github_actions.JobSummary(path)
    run(harness, summary)  # type: ignore[arg-type]  # a listener is enough here
    summary.write(None)
    text = path.read_text()
    assert text.startswith("### :white_check_mark: 0.1.0\n")
    assert "| `sha256:" in text
    assert "`staging: no errors, no warnings, no notes in 0.1 s`" in path.read_text()


def test_annotation_points_at_the_line_and_stays_on_one_line() -> None:
    """Special characters of an annotation are escaped."""
    stream = io.StringIO()
    mistake = ConfigError("50% wrong\nreally.", remedy="No.", file="release.yaml", line=3, column=5)
    github_actions.annotate_error(mistake, stream)
    assert stream.getvalue() == (
        "::error file=release.yaml,line=3,col=5::release.yaml:3:5: 50%25 wrong%0Areally. No.\n"
    )


def test_annotation_without_a_place_names_no_file() -> None:
    """An error of the cluster is annotated without a file."""
    stream = io.StringIO()
    github_actions.annotate_error(FAILURE, stream)
    assert stream.getvalue() == "::error::It crashes. Correct it.\n"


def test_run_url_is_known_only_in_a_workflow() -> None:
    """The URL of the run comes from the variables that GitHub sets."""
    environ = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"}
    assert github_actions.run_url(environ) == "https://github.com/o/r/actions/runs/7"
    assert github_actions.run_url({}) is None


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


def inspection(*findings: Finding) -> Inspection:
    """Returns an inspection of staging with these findings."""
    nodes = Table("Nodes", ("node", "cpu"), (("n1", "1900m"),))
    return Inspection(
        environment="staging",
        version="0.1.0",
        findings=findings,
        nodes=nodes,
        skips={"autoscaling": "why"},
        seconds=0.84,
    )


FINDINGS = (
    replace(
        error("Deployment/web", "It | needs 350m.", "Add a node.", ("spec", "containers", 0, "image")),
        check="capacity",
        place=Place("chart/values.yaml", 12, 3),
    ),
    replace(note("Namespace/staging", "It is new.", "Nothing."), check="release-state"),
)


def test_lines_show_the_worst_findings_first_then_nodes_and_result() -> None:
    """Each finding has a line on what is wrong and one on what to do."""
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).show_inspection(inspection(*FINDINGS))
    assert stream.getvalue().splitlines() == [
        "✗ capacity: Deployment/web spec.containers[0].image: It | needs 350m. (chart/values.yaml:12)",
        "  Add a node. See docs/runbooks/preflight-capacity.md.",
        "• release-state: Namespace/staging: It is new.",
        "  Nothing. See docs/runbooks/preflight-release-state.md.",
        "Nodes",
        "  node  cpu",
        "  n1    1900m",
        "staging: 1 error, no warnings, 1 note in 0.8 s",
    ]


@pytest.mark.parametrize(
    ("others", "line"),
    [
        (1, "  The same at 1 other place: Deployment/1."),
        (5, "  The same at 5 other places: Deployment/1, Deployment/2, Deployment/3, and 2 more."),
    ],
)
def test_equal_findings_at_several_places_are_shown_once(others: int, line: str) -> None:
    """Equal findings are shown once, with the names of some objects."""
    alike = [
        replace(warning(f"Deployment/{number}", "Cause.", "Remedy."), check="hygiene")
        for number in range(others + 1)
    ]
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).show_inspection(inspection(*alike))
    assert stream.getvalue().splitlines()[:3] == [
        "! hygiene: Deployment/0: Cause.",
        line,
        "  Remedy. See docs/runbooks/preflight-hygiene.md.",
    ]


def test_live_shows_the_lines_of_an_inspection(capsys: pytest.CaptureFixture[str]) -> None:
    """The live reporter shows the same lines as the line reporter."""
    LiveReporter(has_color=False).show_inspection(inspection(*FINDINGS))
    assert "✗ capacity: Deployment/web spec.containers[0].image" in capsys.readouterr().out


def test_json_of_an_inspection_is_one_object() -> None:
    """The object holds the findings, the nodes and the skipped checks."""
    stream = io.StringIO()
    JsonReporter(stream).show_inspection(inspection(*FINDINGS))
    body = json.loads(stream.getvalue())
    assert (body["event"], body["environment"], body["skipped"]) == (
        "preflight",
        "staging",
        {"autoscaling": "why"},
    )
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


def test_inspection_is_a_section_of_the_job_summary() -> None:
    """The section has a table of findings with links to their runbooks, and a table of nodes."""
    lines = markdown.inspection_section(inspection(*FINDINGS)).splitlines()
    assert lines[0] == "### :x: Preflight of staging: 1 error, no warnings, 1 note in 0.8 s"
    assert lines[4] == (
        "| :x: | [capacity](docs/runbooks/preflight-capacity.md) |"
        " Deployment/web<br>`spec.containers[0].image` "
        "| It \\| needs 350m.<br>`chart/values.yaml:12` | Add a node. |"
    )
    assert lines[-3:] == ["|---|---|", "| n1 | 1900m |", ""]
    quiet = markdown.inspection_section(replace(inspection(), nodes=None))
    assert quiet.splitlines() == [
        "### :white_check_mark: Preflight of staging: no errors, no warnings, no notes in 0.8 s",
        "",
    ]


def test_findings_of_a_failed_release_are_annotated_one_by_one() -> None:
    """Every finding is annotated at its own line."""
    stream = io.StringIO()
    github_actions.annotate_error(
        PreflightError("It would fail.", remedy="Correct it.", findings=FINDINGS[:1]), stream
    )
    assert stream.getvalue() == (
        "::error file=chart/values.yaml,line=12,col=3::Deployment/web: It | needs 350m. Add a node.\n"
    )
    assert list(github_actions.finding_commands(FINDINGS[1:])) == [
        "::notice::Namespace/staging: It is new. Nothing."
    ]
