"""Answers about environments and versions."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest

from todo_release import queries
from todo_release.artifacts.versions import parse
from todo_release.config.model import SmokeCommand, SmokeSettings
from todo_release.config.overrides import Overrides
from todo_release.core.progress import ProgressCallback
from todo_release.core.tables import Table
from todo_release.environments.drift import LiveChange
from todo_release.environments.smoke.checks import RunSmoke
from todo_release.environments.smoke.result import CheckResult, CommandStep, SmokeTarget
from todo_release.errors import ConfigError, HelmError, SmokeError
from todo_release.report.json_lines import JsonReporter
from todo_release.report.lines import LineReporter
from todo_release.report.live import LiveReporter

from .doubles.harness import NOW, Harness
from .shop import Tree


def test_status_before_the_first_release(harness: Harness) -> None:
    """An environment without a deployment is not an error."""
    environments, images = queries.status(harness.session.context)
    assert environments.rows[0] == ("staging", "-", "-", "never deployed", "-", "-", "-")
    assert images.rows == (("web", "-", "-"), ("api", "-", "-"))


def test_status_shows_versions_states_and_digests(harness: Harness) -> None:
    """Status shows version, state, verification, time and person of each environment, and its images."""
    harness.release("0.1.0")
    harness.cluster.is_ready = False
    environments, images = queries.status(harness.session.context)
    assert environments.rows[1] == (
        "production",
        "0.1.0",
        "1",
        "not ready",
        "yes",
        "2026-11-24 12:00 UTC",
        "Rita <rita@example.com> on test",
    )
    web = images.rows[0]
    assert web[0] == "web"
    assert web[1] == web[2]
    assert len(web[1]) == 12


def test_status_of_a_revision_that_somebody_made_with_helm(harness: Harness) -> None:
    """Its record is made from Helm's: it was not verified, and Helm does not say who made it."""
    harness.release("0.1.0")
    harness.helm["staging"].rollback("shop-staging", 1, timeout_seconds=1, on_line=None)
    environments, _ = queries.status(harness.session.context)
    state, is_verified, _, by = environments.rows[0][3:]
    assert (state, is_verified, by) == ("ready", "no", "unknown")


def test_history_lists_the_newest_first_with_what_changed(harness: Harness, tree: Tree) -> None:
    """The history holds failures with their cause, and the rollback after them."""
    harness.release("0.1.0")
    tree.commit("api: Change.", {"api/main.py": "print(1)\n"})
    harness.helm["staging"].refuses = "0.2.0"
    with pytest.raises(HelmError):
        harness.release("0.2.0")
    rows = [
        (row[0], row[1], row[2], row[6], row[7])
        for row in queries.history(harness.session.context, "staging").rows
    ]
    assert rows == [
        ("3", "0.1.0", "deployed", "api", "rollback to revision 1"),
        ("2", "0.2.0", "failed", "api", "Helm refused."),
        ("1", "0.1.0", "verified", "all", ""),
    ]


def test_version_shows_what_may_come_next(harness: Harness) -> None:
    """The next versions are shown before and after the first release."""
    assert dict(queries.version(harness.session.context).rows) == {
        "released": "-",
        "chart": "0.0.0",
        "next": "0.1.0",
    }
    harness.release("0.1.0")
    assert dict(queries.version(harness.session.context).rows) == {
        "released": "0.1.0",
        "chart": "0.1.0",
        "next": "0.1.1",
        "major": "1.0.0",
        "minor": "0.2.0",
        "patch": "0.1.1",
        "prerelease": "0.1.1-rc.1",
    }


@pytest.fixture
def with_news(tree: Tree, tmp_path: Path) -> Harness:
    """Returns a harness of the shop with a changelog."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("changelog: {}\n")
    return Harness(tree.path, Overrides(files=(overlay,)))


@pytest.mark.parametrize(
    ("last", "kinds", "next_version"),
    [
        ("v1.2.3", ["fixed", "security"], "1.2.4"),
        ("v1.2.3", ["fixed", "changed"], "1.3.0"),
        ("v1.2.3", ["added", "removed"], "2.0.0"),
        ("v0.2.3", ["removed"], "0.3.0"),
    ],
)
def test_news_decide_the_next_version(
    with_news: Harness, tree: Tree, last: str, kinds: list[str], next_version: str
) -> None:
    """A removal asks for a major version, but not before 1.0.0; a named kind is used as it is."""
    tree.commit("news", {f"changelog.d/{kind}.{kind}.md": "x\n" for kind in kinds})
    tree.git("tag", last)
    context = with_news.session.context
    assert str(queries.next_version(context)) == next_version
    assert queries.next_version(context, "major") == parse(last.removeprefix("v")).bump_major()


def test_news_of_the_next_version_can_be_read_beforehand(with_news: Harness, tree: Tree) -> None:
    """The news are those that the release will write."""
    tree.commit("news", {"changelog.d/shop.added.md": "A shop.\n"})
    assert queries.news(with_news.session.context).endswith("### Added\n\n- A shop.")


def test_news_without_a_changelog_are_refused(harness: Harness) -> None:
    """The error says what to add to release.yaml."""
    with pytest.raises(ConfigError, match=r"Add `changelog: \{\}`"):
        queries.news(harness.session.context)


TABLE = Table("Things", ("name", "size"), (("a", "1\nmore"), ("longer", "2")))


def test_table_is_aligned_text() -> None:
    """Only the first line of a cell is shown in aligned text."""
    stream = io.StringIO()
    LineReporter(stream, can_ask=False).show_table(TABLE)
    assert stream.getvalue() == "Things\n  name    size\n  a       1\n  longer  2\n"


def test_empty_table_says_so() -> None:
    """A table without rows says that there is nothing."""
    assert list(Table("Things", ("name",), ()).lines())[-1] == "  (nothing)"


def test_table_is_json_for_programs() -> None:
    """The JSON of a table has one mapping for each row, with complete cells."""
    stream = io.StringIO()
    JsonReporter(stream).show_table(TABLE)
    assert json.loads(stream.getvalue())["rows"] == [
        {"name": "a", "size": "1\nmore"},
        {"name": "longer", "size": "2"},
    ]


def test_table_is_drawn_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The live reporter draws every cell."""
    LiveReporter(has_color=False).show_table(TABLE)
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("Things", "name", "longer", "more"))


def verify(harness: Harness, run_smoke: RunSmoke) -> tuple[Table, bool]:
    """Verifies staging as the command does."""
    session = harness.session
    return queries.verify(session.context, "staging", run_smoke, session.find_deviations, session.find_builds)


def test_verify_fails_when_something_else_runs_than_was_released(harness: Harness) -> None:
    """An edit by hand is named with who made it; no smoke check is run."""
    harness.release("0.1.0")
    harness.live_changes = (
        LiveChange("Deployment/web", "spec.replicas", "2", "5", "kubectl-scale", NOW - timedelta(days=2)),
    )
    with pytest.raises(SmokeError, match=r"spec\.replicas is 5 and not 2: kubectl-scale") as failed:
        verify(harness, lambda settings, target, say: pytest.fail("a smoke check ran"))
    assert "inv drift --env staging" in failed.value.remedy


def test_verify_shows_every_check_and_whether_all_passed(harness: Harness) -> None:
    """Smoke checks on request record and undo nothing."""
    harness.release("0.1.0")
    before = harness.cluster.writes
    assert verify(harness, harness.session.run_smoke)[1]
    harness.failing_checks["https://staging.example.com"] = "500"
    table, is_ok = verify(harness, harness.session.run_smoke)
    assert not is_ok
    assert "✗  home   0.1 s  500" in "\n".join(table.lines())
    assert harness.cluster.writes == before
    assert harness.helm["staging"].revisions[-1].status == "deployed"


def test_verify_shows_the_steps_of_a_program_below_its_check(harness: Harness) -> None:
    """Each with its time, and with what it saw or what was wrong."""
    steps = (CommandStep("sign up", 12.4, detail="as Ana"), CommandStep("list", 3, error="answered 500"))
    results = [CheckResult("user", is_ok=False, detail="list: answered 500", seconds=0.1, steps=steps)]
    table, _ = verify(harness, lambda settings, target, say: results)
    assert table.rows == (
        ("✗", "user", "0.1 s", "list: answered 500"),
        ("✓", "  sign up", "12 ms", "as Ana"),
        ("✗", "  list", "3 ms", "answered 500"),
    )


def test_verify_gives_programs_the_version_that_runs(harness: Harness) -> None:
    """A program that takes the version cannot be run where nothing was deployed; other checks can."""
    targets: list[SmokeTarget] = []

    def run_smoke(settings: SmokeSettings, target: SmokeTarget, say: ProgressCallback) -> list[CheckResult]:
        targets.append(target)
        return []

    verify(harness, run_smoke)
    command = SmokeCommand(name="user", argv=("check", "${url}", "${version}"))
    smoke = SmokeSettings(commands=(command,))
    harness.config = harness.config.model_copy(update={"smoke": smoke})
    with pytest.raises(SmokeError, match=r"staging runs no version.*inv deploy --env staging"):
        verify(harness, run_smoke)
    harness.release("0.1.0")
    verify(harness, run_smoke)
    assert [(target.url, target.version) for target in targets] == [
        ("https://staging.example.com", ""),
        ("https://staging.example.com", "0.1.0"),
    ]
