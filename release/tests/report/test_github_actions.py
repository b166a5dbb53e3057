"""What a workflow of GitHub shows of a release: groups, the job summary, annotations."""

import io
from pathlib import Path

import pytest

from todo_release.errors import ConfigError, ReleaseError
from todo_release.pipeline.events import RunEvent, StepEnded, StepFailed, StepProgressed, StepStarted
from todo_release.pipeline.steps import BuildImage, Deploy
from todo_release.report import github_actions
from todo_release.report.action_log import ActionLogReporter

from ..doubles.harness import Harness
from .shown_runs import FAILURE, run


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
