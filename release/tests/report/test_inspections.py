"""How what preflight found is shown: as lines, as JSON, in the job summary and as annotations."""

import io
import json
from dataclasses import replace

import pytest

from todo_release.core.tables import Table
from todo_release.core.yaml_positions import Place
from todo_release.preflight.errors import PreflightError
from todo_release.preflight.finding import Finding, error, note, warning
from todo_release.preflight.inspection import Inspection
from todo_release.report import github_actions, markdown
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter
from todo_release.report.live import LiveReporter


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
