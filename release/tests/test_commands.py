"""The commands: what they are given, and the exit code they end with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from todo_release import commands
from todo_release import session as sessions
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.core.yaml_positions import Place
from todo_release.errors import SmokeError
from todo_release.preflight.finding import Finding, Severity, error
from todo_release.rehearsal import run
from todo_release.report.reporter import Reporter
from todo_release.session import Options, Session

from .doubles.world import World
from .shop import Tree

LINES = Options(output="lines", environ={}, is_agreed=True)


@pytest.fixture
def world(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> World:
    """The commands reach doubles instead of the outside world."""
    made = World(tree.path)

    @contextmanager
    def session(root: Path, options: Options, reporter: Reporter) -> Iterator[Session]:
        assert root == tree.path
        ask = (lambda question: True) if options.is_agreed else reporter.ask
        yield replace(made.session, reporter=reporter, ask=ask)

    monkeypatch.setattr(sessions, "open_session", session)
    monkeypatch.setattr(kubeconfig, "contexts", lambda environ: frozenset({"here"}))
    return made


def test_release_ends_with_0_and_again_says_that_there_is_nothing_to_do(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two outcomes of a good release."""
    assert commands.release(world.root, "0.1.0", LINES) == 0
    assert "0.1.0: all done in" in capsys.readouterr().out
    assert commands.release(world.root, "0.1.0", LINES) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_release_without_a_cluster_is_rehearsed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so in one line and ends with the code that the release would have ended with."""
    rehearsed = []

    def rehearse(
        session: Session, options: Options, version: str, *, last: str | None, like: str | None
    ) -> object:
        rehearsed.append((version, last, like))
        return SimpleNamespace(failed=SmokeError("No.", remedy="None."))

    monkeypatch.setattr(kubeconfig, "contexts", lambda environ: frozenset({"elsewhere"}))
    monkeypatch.setattr(run, "rehearse", rehearse)
    assert commands.release(world.root, "0.1.0", LINES, last="staging") == SmokeError.exit_code
    assert rehearsed == [("0.1.0", "staging", None)]
    assert "No kubeconfig has the context here, so nothing is released" in capsys.readouterr().out
    assert world.engine.built == []


def test_workflow_without_a_cluster_is_not_content_with_a_rehearsal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline whose kubeconfig is missing must fail at the cluster and not go green."""
    monkeypatch.setattr(kubeconfig, "contexts", lambda environ: frozenset())
    options = replace(LINES, environ={"GITHUB_ACTIONS": "true"})
    assert commands.release(world.root, "0.1.0", options) == 0  # the doubles' cluster answers
    assert world.engine.built != []


def test_dry_run_shows_the_plan_and_does_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step with its reason."""
    assert commands.release(world.root, "0.1.0", LINES, is_dry_run=True) == 0
    assert "• Build web" in capsys.readouterr().out
    assert world.engine.built == []


def test_dry_run_of_a_refused_release_ends_with_the_refusals_code(
    world: World, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI may ask beforehand."""
    tree.write({"new.txt": ""})
    assert commands.release(world.root, "0.1.0", LINES, is_dry_run=True) == 4
    assert "new.txt" in capsys.readouterr().out


def test_without_agreement_and_without_a_terminal_production_is_left_alone(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the flag."""
    assert commands.release(world.root, "0.1.0", replace(LINES, is_agreed=False)) == 12
    assert "`--yes` agrees beforehand" in capsys.readouterr().out
    assert world.helm["production"].revisions == []


def test_failure_ends_with_the_errors_code_and_is_shown_once(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cause, what was done about it, remedy."""
    world.helm["staging"].refuses = "0.1.0"
    assert commands.release(world.root, "0.1.0", LINES) == 9
    shown = capsys.readouterr().out
    assert shown.count("Helm refused.") == 2  # as the note of the step, and as the error at the end
    assert shown.rstrip().endswith("(exit code 9)")


def error_in_staging() -> Finding:
    """Something that would certainly fail."""
    place = Place("chart/values.yaml", 12, 3)
    return replace(error("Deployment/web", "It needs 350m.", "Add a node.", place=place), check="capacity")


def test_preflight_ends_with_0_unless_something_would_certainly_fail(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings are for people; the version is handed on."""
    world.findings["staging"] = (replace(error_in_staging(), severity=Severity.WARNING),)
    assert commands.preflight(world.root, "staging", LINES) == 0
    assert "! capacity: Deployment/web: It needs 350m. (chart/values.yaml:12)" in capsys.readouterr().out
    world.findings["staging"] = (error_in_staging(),)
    assert commands.preflight(world.root, "staging", LINES, version="0.1.0") == 15
    shown = capsys.readouterr().out
    assert "  Add a node. See docs/runbooks/preflight-capacity.md." in shown
    assert shown.rstrip().endswith("staging: 1 error, no warnings, no notes in 0.1 s")
    assert world.inspected == [("staging", None), ("staging", "0.1.0")]


def test_preflight_of_an_unknown_environment_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is looked at."""
    assert commands.preflight(world.root, "moon", LINES) == 2
    assert "Choose one of: staging, production" in capsys.readouterr().out
    assert world.inspected == []


def test_preflight_in_a_workflow_writes_a_summary_and_annotates_the_lines(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the change, and on the page of the run."""
    path = tmp_path / "summary.md"
    options = replace(LINES, environ={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)})
    world.findings["staging"] = (error_in_staging(),)
    assert commands.preflight(world.root, "staging", options) == 15
    assert path.read_text().startswith("### :x: Preflight of staging: 1 error")
    assert capsys.readouterr().err == (
        "::error file=chart/values.yaml,line=12,col=3::Deployment/web: It needs 350m. Add a node.\n"
    )


def test_release_that_would_fail_ends_with_15_before_anything_is_built(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """With all that would fail, and how to go on all the same."""
    world.findings["production"] = (error_in_staging(),)
    assert commands.release(world.root, "0.1.0", LINES) == 15
    shown = capsys.readouterr().out
    assert "✗ 1 thing would fail in production:" in shown
    assert "  capacity: Deployment/web: It needs 350m. (chart/values.yaml:12)" in shown
    assert "--skip CHECK=REASON" in shown
    assert world.engine.built == []


def test_interruption_ends_with_130(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no error of the engine."""

    def interrupt(self: Session, version: str, last: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "release", interrupt)
    assert commands.release(world.root, "0.1.0", LINES) == 130


def test_workflow_gets_a_summary_and_an_annotation(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only inside of GitHub Actions."""
    path = tmp_path / "summary.md"
    options = replace(LINES, environ={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)})
    world.helm["staging"].refuses = "0.1.0"
    assert commands.release(world.root, "0.1.0", options) == 9
    assert path.read_text().startswith("### :x: Helm refused.")
    assert capsys.readouterr().err == "::error::Helm refused. Look.\n"


def test_deploy_rollback_verify_status_history_and_versions_answer(
    world: World, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the other commands, once around."""
    root = world.root
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


def test_options_take_what_a_command_line_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty means nothing was said; paths are those of the caller."""
    monkeypatch.chdir(tmp_path)
    options = commands.options(
        config=["a.yaml"],
        registry="",
        variables={"domain": "a.test", "owner": None},
        values=["staging=x.yaml", "staging=y.yaml"],
        output="json",
        yes=True,
        wait=False,
        skip=["capacity=a node is on its way"],
    )
    overrides = options.overrides
    assert overrides is not None
    assert overrides.files == (Path("a.yaml"),)
    assert (overrides.registry, overrides.variables) == (None, {"domain": "a.test"})
    assert overrides.values == {"staging": (str(tmp_path / "x.yaml"), str(tmp_path / "y.yaml"))}
    assert (options.output, options.is_agreed, options.can_wait) == ("json", True, False)
    assert options.skip == ("capacity=a node is on its way",)


def test_options_refuse_values_without_an_environment() -> None:
    """It could not be known which one is meant."""
    with pytest.raises(SystemExit, match="ENVIRONMENT=PATH"):
        commands.options(values=["x.yaml"])


def test_skip_of_no_check_is_refused_with_the_list(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is done, in the real session."""
    options = replace(LINES, skip=("memory=why",))
    assert commands.preflight(tree.path, "staging", options) == 2
    assert "the checks are references, api, dapr" in capsys.readouterr().out
