"""Saved plans: run exactly as they were shown, or refused with the fact that changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from todo_release.config.overrides import Overrides
from todo_release.environments.health.traffic_before import TrafficBefore
from todo_release.errors import JournalError, StalePlanError, VersionError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.saved_plan import PlanRequest

from ..doubles.harness import Harness
from ..shop import Tree

RELEASE = PlanRequest(version="0.2.0")


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which 0.1.0 runs everywhere and a change of web is committed."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    tree.commit("web: Change.", {"web/index.js": "changed\n"})
    return harness


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Returns the path of a plan, outside of the work tree."""
    return tmp_path / "plan.json"


def save(harness: Harness, file: Path, request: PlanRequest = RELEASE) -> Plan:
    """Saves the plan of a request and returns it."""
    session = harness.session
    plan = session.plan(request)
    session.save(plan, request, file)
    return plan


def test_saved_plan_runs_as_it_was_shown(harness: Harness, file: Path) -> None:
    """The loaded plan is the saved one, bound to what the environments run."""
    saved = save(harness, file)
    loaded = harness.session.load(file)
    assert loaded == saved.as_agreed()
    harness.session.run(loaded, harness.events.append)
    assert harness.done[-1] == "verify:production"


def test_plan_of_one_environment_is_saved_too(harness: Harness, file: Path) -> None:
    """The plan of a promotion holds its environment and whether a downgrade is allowed."""
    harness.release("0.2.0")
    save(harness, file, PlanRequest(version="0.1.0", environment="production", allows_downgrade=True))
    harness.session.run(harness.session.load(file), harness.events.append)
    assert harness.helm["production"].revisions[-1].app_version == "0.1.0"
    assert harness.helm["staging"].revisions[-1].app_version == "0.2.0"


def commit(harness: Harness, tree: Tree) -> None:
    """Commits something that no image is made of."""
    tree.commit("note", {"note.txt": "\n"})


def deploy_by_hand(harness: Harness, tree: Tree) -> None:
    """Adds a revision to production."""
    harness.helm["production"]._add("0.1.0", "deployed", "by hand")


def push_image(harness: Harness, tree: Tree) -> None:
    """Pushes the image of web that the release would build."""
    session = harness.session
    (step,) = (step for step in session.plan(RELEASE).steps if step.id == "build:web")
    handlers = session._handlers(TrafficBefore(harness.config.watch_of, session.context.connect))
    handlers[type(step)].do(step, lambda text, is_note=False: None)


def configure(harness: Harness, tree: Tree) -> None:
    """Runs with another domain."""
    harness.config = Harness(tree.path, Overrides(variables={"domain": "example.org"})).config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (commit, "the commit that is checked out was "),
        (
            deploy_by_hand,
            r"what production runs was 0\.1\.0 \(revision 1, deployed\) and is 0\.1\.0 \(revision 2",
        ),
        (push_image, "the image web was not built and is sha256:"),
        (configure, "release.yaml with its overrides was "),
    ],
)
def test_plan_is_refused_with_the_fact_that_changed(
    harness: Harness, tree: Tree, file: Path, change: Callable[[Harness, Tree], None], message: str
) -> None:
    """Nothing is changed, and the remedy makes a new plan."""
    save(harness, file)
    change(harness, tree)
    with pytest.raises(StalePlanError, match=message) as refused:
        harness.session.load(file)
    assert refused.value.problem.startswith("This is not the plan of 0.2.0 any more: ")
    assert "`inv plan --version X.Y.Z --out FILE`" in refused.value.remedy


def test_plan_is_refused_when_it_would_change_something_else(
    harness: Harness, tree: Tree, file: Path
) -> None:
    """An edit by hand that the release would set back was not among the changes that were shown."""
    live = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop-staging-web"}}
    harness.cluster.objects["Deployment/shop-staging-web"] = live
    save(harness, file)
    del harness.cluster.objects["Deployment/shop-staging-web"]
    with pytest.raises(StalePlanError, match=r"what changes in staging was nothing and is \+ Deployment"):
        harness.session.load(file)


def test_plan_that_is_done_has_nothing_to_do(harness: Harness, file: Path) -> None:
    """A job that is started again after it succeeded ends well."""
    save(harness, file)
    harness.session.run(harness.session.load(file), harness.events.append)
    assert harness.session.load(file).is_finished


def test_refusals_of_today_are_said_as_they_are(harness: Harness, tree: Tree, file: Path) -> None:
    """A refusal names its own reason and remedy, better than the comparison with the saved plan."""
    harness.release("0.2.0")
    save(harness, file, PlanRequest(version="0.1.0", environment="staging", allows_downgrade=True))
    body = json.loads(file.read_text())
    tree.git("tag", "--delete", "v0.1.0")
    assert body["request"]["allows_downgrade"] is True
    (refusal, *_) = harness.session.load(file).refusals
    assert isinstance(refusal, VersionError)
    assert "0.1.0 was never released" in refusal.problem


def edited(file: Path, **changes: Any) -> None:
    """Changes a saved plan without changing its hash."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda file: file.unlink(), "cannot be read: No such file or directory"),
        (lambda file: file.write_text("{"), "is not a saved plan: it is no JSON"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "is not a saved plan: it is no JSON"),
        (lambda file: file.write_text("[" * 100_000), "is not a saved plan: it is no JSON"),
        (lambda file: file.write_text("[]"), "is not a saved plan"),
        (lambda file: file.write_text("null"), "is not a saved plan"),
        (lambda file: file.write_text('{"kind": "List"}'), "is not a saved plan"),
        (lambda file: edited(file, schema=2), "saved in form 2 of plans; this engine reads form 1"),
        (lambda file: edited(file, request={"version": "9.0.0"}), "damaged, or was changed"),
        (lambda file: edited(file, sha256=None), "damaged, or was changed"),
    ],
)
def test_file_that_is_no_plan_is_refused_in_one_sentence(
    harness: Harness, file: Path, break_it: Callable[[Path], None], message: str
) -> None:
    """Whatever the file holds, the error names it and says what to do."""
    save(harness, file)
    break_it(file)
    with pytest.raises(JournalError, match=message) as refused:
        harness.session.load(file)
    assert str(file) in refused.value.problem
    assert refused.value.remedy


def test_plan_of_another_application_is_refused(harness: Harness, tree: Tree, file: Path) -> None:
    """The error names both applications."""
    save(harness, file)
    harness.config = harness.config.model_copy(update={"name": "market"})
    with pytest.raises(JournalError, match="is a plan of shop, not of market"):
        harness.session.load(file)


def test_file_that_cannot_be_written_is_an_error(harness: Harness, file: Path) -> None:
    """A missing folder is named instead of a traceback."""
    with pytest.raises(JournalError, match=r"cannot be written to .*: No such file"):
        save(harness, file.parent / "missing" / "plan.json")


def test_file_shows_what_it_is_bound_to(harness: Harness, file: Path) -> None:
    """A person can read the facts, the changes and the steps."""
    plan = save(harness, file)
    body = json.loads(file.read_text())
    assert body["plan"]["steps"][0]["title"] == plan.steps[0].title
    assert body["basis"]["what production runs"] == "0.1.0 (revision 1, deployed)"
    assert set(body) == {"kind", "schema", "request", "application", "basis", "plan", "sha256"}
