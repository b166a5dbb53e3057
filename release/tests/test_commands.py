"""The commands: their effects and the exit codes that they return."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from todo_release import command_line, commands, queries
from todo_release import session as sessions
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.core.progress import ProgressCallback
from todo_release.core.yaml_positions import Place
from todo_release.environments.drift import LiveChange
from todo_release.environments.health.judge import Health, HealthVerdict
from todo_release.errors import SmokeError
from todo_release.pipeline.handlers.deploy import DeployHandler
from todo_release.pipeline.saved_plan import PlanRequest
from todo_release.pipeline.steps import Deploy
from todo_release.preflight.finding import Finding, Severity, error
from todo_release.rehearsal import run
from todo_release.report.reporter import Reporter
from todo_release.session import CommandOptions, Session

from .doubles.harness import Harness
from .shop import Tree

LINES = CommandOptions(output="lines", environ={}, is_agreed=True)


@pytest.fixture
def harness(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Returns a harness whose doubles the commands use."""
    harness = Harness(tree.path)

    @contextmanager
    def session(root: Path, options: CommandOptions, reporter: Reporter) -> Iterator[Session]:
        assert root == tree.path
        ask = (lambda question: True) if options.is_agreed else reporter.ask
        ask_to_overwrite = (lambda question: True) if options.overwrites_edits else reporter.ask
        yield replace(harness.session, reporter=reporter, ask=ask, ask_to_overwrite=ask_to_overwrite)

    monkeypatch.setattr(sessions, "open_session", session)
    monkeypatch.setattr(kubeconfig, "contexts", lambda environ: frozenset({"here"}))
    return harness


def test_release_returns_0_and_again_says_that_there_is_nothing_to_do(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release returns 0, also when everything is done already."""
    assert commands.release(harness.root, "0.1.0", LINES) == 0
    assert "0.1.0: all done in" in capsys.readouterr().out
    assert commands.release(harness.root, "0.1.0", LINES) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_release_without_a_cluster_is_rehearsed(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a cluster it says so in one line and returns the code that the release would have."""
    rehearsed = []

    def rehearse(
        session: Session, options: CommandOptions, version: str, *, last: str | None, like: str | None
    ) -> object:
        rehearsed.append((version, last, like))
        return SimpleNamespace(error=SmokeError("No.", remedy="None."))

    monkeypatch.setattr(kubeconfig, "contexts", lambda environ: frozenset({"elsewhere"}))
    monkeypatch.setattr(run, "rehearse", rehearse)
    assert commands.release(harness.root, "0.1.0", LINES, last="staging") == SmokeError.exit_code
    assert rehearsed == [("0.1.0", "staging", None)]
    assert "No kubeconfig has the context here, so nothing is released" in capsys.readouterr().out
    assert harness.engine.built == []


def test_workflow_without_a_cluster_does_not_rehearse(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a workflow a missing kubeconfig must fail and not become a rehearsal."""
    monkeypatch.setattr(kubeconfig, "contexts", lambda environ: frozenset())
    options = replace(LINES, environ={"GITHUB_ACTIONS": "true"})
    assert commands.release(harness.root, "0.1.0", options) == 0  # the doubles' cluster answers
    assert harness.engine.built != []


def test_dry_run_shows_the_plan_and_does_nothing(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run shows every step with its reason."""
    assert commands.release(harness.root, "0.1.0", LINES, is_dry_run=True) == 0
    assert "• Build web" in capsys.readouterr().out
    assert harness.engine.built == []


def test_plan_is_saved_and_shown_in_the_job_summary_and_the_approved_run_is_that_plan(
    harness: Harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two jobs of a workflow: one shows and saves, the other runs; a third finds the world changed."""
    file, summary = tmp_path / "plan.json", tmp_path / "summary.md"
    options = replace(LINES, environ={"GITHUB_STEP_SUMMARY": str(summary)})
    request = PlanRequest(version="0.1.0")
    assert commands.plan(harness.root, request, options, file=file) == 0
    assert f"Saved: `inv release --plan {file}` runs exactly this" in capsys.readouterr().out
    shown = summary.read_text()
    assert shown.startswith("### Plan of 0.1.0\n\n| | step | why |\n")
    assert "Changes in production:\n\n~~~~~~diff\n+ Deployment/shop-web\n~~~~~~" in shown
    assert harness.engine.built == []
    assert commands.release_plan(harness.root, file, LINES) == 0
    assert harness.helm["production"].revisions[-1].app_version == "0.1.0"
    harness.helm["production"]._add("9.0.0", "deployed", "by hand")
    assert commands.release_plan(harness.root, file, LINES) == 3  # a refusal of today has its own code
    harness.helm["production"]._add("0.0.1", "deployed", "by hand")
    assert commands.release_plan(harness.root, file, LINES) == 18
    assert "what production runs was nothing and is 0.0.1 (revision 3" in capsys.readouterr().out


def test_plan_with_refusals_is_not_saved(harness: Harness, tree: Tree, tmp_path: Path) -> None:
    """The exit code is that of the refusal, and there is nothing to agree to."""
    tree.write({"new.txt": ""})
    file = tmp_path / "plan.json"
    assert commands.plan(harness.root, PlanRequest(version="0.1.0"), LINES, file=file) == 4
    assert not file.exists()


def test_lower_version_is_deployed_only_with_allow_downgrade(
    harness: Harness, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--yes` alone does not take an environment back."""
    root = harness.root
    commands.release(root, "0.1.0", LINES)
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    commands.release(root, "0.2.0", LINES)
    assert commands.promote(root, "0.1.0", LINES) == 3
    assert commands.deploy(root, "0.1.0", "staging", LINES) == 3
    assert harness.helm["production"].revisions[-1].app_version == "0.2.0"
    assert commands.deploy(root, "0.1.0", "staging", LINES, allows_downgrade=True) == 0
    assert commands.promote(root, "0.1.0", LINES, allows_downgrade=True) == 0
    assert harness.helm["production"].revisions[-1].app_version == "0.1.0"


def test_yes_does_not_overwrite_what_was_changed_by_hand(
    harness: Harness, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--yes` lists the edits and stops; `--overwrite-edits` overwrites them."""
    commands.release(harness.root, "0.1.0", LINES)
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    harness.live_changes = tuple(
        LiveChange(f"Deployment/web-{number}", "spec.replicas", "2", "5", "kubectl") for number in range(12)
    )
    assert commands.release(harness.root, "0.2.0", LINES) == 12
    shown = capsys.readouterr().out
    assert "✗ 12 edits made by hand in staging would be overwritten, and nobody agreed: " in shown
    assert "Deployment/web-9 spec.replicas is 5 and not 2: kubectl set it; and 2 more." in shown
    assert "agree with `--overwrite-edits`; `--yes` does not" in shown
    assert harness.helm["staging"].revisions[-1].app_version == "0.1.0"
    assert commands.release(harness.root, "0.2.0", replace(LINES, overwrites_edits=True)) == 0


def test_dry_run_of_a_refused_release_returns_the_code_of_the_refusal(
    harness: Harness, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI can ask beforehand whether a release is possible."""
    tree.write({"new.txt": ""})
    assert commands.release(harness.root, "0.1.0", LINES, is_dry_run=True) == 4
    assert "new.txt" in capsys.readouterr().out


def test_production_is_not_changed_without_agreement(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal and without `--yes` the release stops, and the error names the flag."""
    assert commands.release(harness.root, "0.1.0", replace(LINES, is_agreed=False)) == 12
    assert "`--yes` agrees beforehand" in capsys.readouterr().out
    assert harness.helm["production"].revisions == []


def test_failure_returns_the_code_of_the_error_and_is_shown_once(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cause is shown as the last note of the step and as the error at the end."""
    harness.helm["staging"].refuses = "0.1.0"
    assert commands.release(harness.root, "0.1.0", LINES) == 9
    shown = capsys.readouterr().out
    assert shown.count("Helm refused.") == 2  # as the note of the step, and as the error at the end
    assert shown.rstrip().endswith("(exit code 9)")


def error_finding() -> Finding:
    """Returns a finding that stops a release."""
    place = Place("chart/values.yaml", 12, 3)
    return replace(error("Deployment/web", "It needs 350m.", "Add a node.", place=place), check="capacity")


def test_preflight_returns_0_unless_something_would_certainly_fail(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings return 0; the version is passed to the inspection."""
    harness.findings["staging"] = (replace(error_finding(), severity=Severity.WARNING),)
    assert commands.preflight(harness.root, "staging", LINES) == 0
    assert "! capacity: Deployment/web: It needs 350m. (chart/values.yaml:12)" in capsys.readouterr().out
    harness.findings["staging"] = (error_finding(),)
    assert commands.preflight(harness.root, "staging", LINES, version="0.1.0") == 15
    shown = capsys.readouterr().out
    assert "  Add a node. See docs/runbooks/preflight-capacity.md." in shown
    assert shown.rstrip().endswith("staging: 1 error, no warnings, no notes in 0.1 s")
    assert harness.inspections == [("staging", None), ("staging", "0.1.0")]


def test_preflight_of_an_unknown_environment_is_refused(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown environment is refused before anything is read."""
    assert commands.preflight(harness.root, "moon", LINES) == 2
    assert "Choose one of: staging, production" in capsys.readouterr().out
    assert harness.inspections == []


def test_preflight_in_a_workflow_writes_a_summary_and_annotates_the_lines(
    harness: Harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a workflow the findings are in the job summary and beside the lines at fault."""
    path = tmp_path / "summary.md"
    options = replace(LINES, environ={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)})
    harness.findings["staging"] = (error_finding(),)
    assert commands.preflight(harness.root, "staging", options) == 15
    assert path.read_text().startswith("### :x: Preflight of staging: 1 error")
    assert capsys.readouterr().err == (
        "::error file=chart/values.yaml,line=12,col=3::Deployment/web: It needs 350m. Add a node.\n"
    )


def test_release_that_would_fail_returns_15_before_anything_is_built(
    harness: Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error lists all that would fail, and how to continue anyway."""
    harness.findings["production"] = (error_finding(),)
    assert commands.release(harness.root, "0.1.0", LINES) == 15
    shown = capsys.readouterr().out
    assert "✗ 1 thing would fail in production:" in shown
    assert "  capacity: Deployment/web: It needs 350m. (chart/values.yaml:12)" in shown
    assert "--skip CHECK=REASON" in shown
    assert harness.engine.built == []


def test_interruption_returns_130(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is not an error of the engine."""

    def interrupt(self: Session, request: PlanRequest) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "plan", interrupt)
    assert commands.release(harness.root, "0.1.0", LINES) == 130


def test_interrupted_run_is_in_the_job_summary(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled job shows which step was interrupted, what runs where and what was not reached."""

    def interrupt(self: DeployHandler, step: Deploy, say: ProgressCallback) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DeployHandler, "do", interrupt)
    path = tmp_path / "summary.md"
    options = replace(LINES, environ={"GITHUB_STEP_SUMMARY": str(path)})
    assert commands.release(harness.root, "0.1.0", options) == 130
    summary = path.read_text().splitlines()
    assert summary[0] == "### :x: Interrupted during: Deploy 0.1.0 to staging."
    assert "- staging: 0.1.0 may be partly rolled out; nothing ran before." in summary
    rows = [line for line in summary if "Deploy 0.1.0 to" in line and line.startswith("|")]
    assert [row.split("|")[-2].strip() for row in rows] == ["interrupted", "not reached"]


def test_workflow_gets_a_summary_and_an_annotation(
    harness: Harness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a workflow a failure is in the job summary and annotated."""
    path = tmp_path / "summary.md"
    options = replace(LINES, environ={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)})
    harness.helm["staging"].refuses = "0.1.0"
    assert commands.release(harness.root, "0.1.0", options) == 9
    assert path.read_text().startswith("### :x: Helm refused.")
    assert capsys.readouterr().err == "::error::Helm refused. Run `helm history`.\n"


def test_watch_returns_19_when_what_runs_fails(
    harness: Harness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict is the last line; a version that is not failing returns 0."""
    monkeypatch.setattr(queries, "WATCH_MINUTES", 0.001)
    harness.release("0.1.0")
    assert commands.watch(harness.root, "staging", LINES) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("nothing-new: ")
    verdict = HealthVerdict(Health.FAILING, "new pods failed 2 of 3 requests")
    monkeypatch.setattr(queries, "watch", lambda *_: verdict)
    assert commands.watch(harness.root, "staging", LINES) == 19
    assert capsys.readouterr().out == "failing: new pods failed 2 of 3 requests\n"


def test_deploy_rollback_verify_status_history_and_version_return_0(
    harness: Harness, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the other commands works once."""
    root = harness.root
    commands.release(root, "0.1.0", LINES)
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    commands.release(root, "0.2.0", LINES)
    capsys.readouterr()
    assert commands.deploy(root, "0.2.0", "staging", LINES) == 0
    assert "0.2.0: nothing to do" in capsys.readouterr().out
    assert commands.rollback(root, "production", LINES, is_dry_run=True) == 0
    assert "production goes from 0.2.0 back to 0.1.0" in capsys.readouterr().out
    assert commands.rollback(root, "production", LINES, version="0.1.0") == 0
    capsys.readouterr()
    assert commands.verify(root, "production", LINES) == 0
    assert "Checks of production" in capsys.readouterr().out
    assert commands.status(root, LINES) == 0
    assert "production   0.1.0" in capsys.readouterr().out
    assert commands.history(root, "production", LINES) == 0
    assert "History of production" in capsys.readouterr().out
    assert commands.version(root, LINES) == 0
    assert "released    0.2.0" in capsys.readouterr().out
    assert commands.version(root, LINES, kind="minor") == 0
    assert capsys.readouterr().out == "0.3.0\n"
    assert commands.version(root, LINES, is_next=True) == 0
    assert capsys.readouterr().out == "0.2.1\n"
    assert commands.news(root, LINES) == 2
    assert "changelog: {}" in capsys.readouterr().out


def test_options_hold_what_a_command_line_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty values state nothing; paths are relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    options = command_line.options(
        config=["a.yaml"],
        registry="",
        variables={"domain": "a.test", "owner": None},
        values=["staging=x.yaml", "staging=y.yaml"],
        output="json",
        yes=True,
        overwrite_edits=True,
        wait=False,
        skip=["capacity=a node is on its way"],
    )
    overrides = options.overrides
    assert overrides is not None
    assert overrides.files == (Path("a.yaml"),)
    assert (overrides.registry, overrides.variables) == (None, {"domain": "a.test"})
    assert overrides.values == {"staging": (str(tmp_path / "x.yaml"), str(tmp_path / "y.yaml"))}
    assert (options.output, options.is_agreed, options.can_wait) == ("json", True, False)
    assert options.overwrites_edits is True
    assert options.skip == ("capacity=a node is on its way",)


def test_options_refuse_values_without_an_environment() -> None:
    """A values file without an environment is refused with the right form."""
    with pytest.raises(ValueError, match="ENVIRONMENT=PATH"):
        command_line.options(values=["x.yaml"])


def test_skip_of_an_unknown_check_is_refused_with_the_list(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown check is refused before anything is done, in the real session."""
    options = replace(LINES, skip=("memory=why",))
    assert commands.preflight(tree.path, "staging", options) == 2
    assert "the checks are references, api-versions, dapr" in capsys.readouterr().out
