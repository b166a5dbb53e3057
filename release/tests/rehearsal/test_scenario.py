"""Single phases of a rehearsal, for cases that whole rehearsals do not cover."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.artifacts import chart_edits, versions
from todo_release.errors import ConfigError, RehearsalError
from todo_release.rehearsal import scenario
from todo_release.rehearsal.sandbox import Sandbox, open_sandbox

from ..shop import Tree
from .deployable_shop import LINES, open_shop
from .shared_control_plane import SharedControlPlane
from .waiting import wait_until


@pytest.fixture
def sandbox(shop: Tree, on_shared_plane: SharedControlPlane) -> Iterator[Sandbox]:
    """Opens a sandbox for the shop, before any phase.

    * change (HEAD -> main)
    * add (v1.0.0), whose release.yaml has no production
    """
    whole = (shop.path / "release.yaml").read_text()
    start, rest = whole.split("  production:\n")
    shop.commit("less", {"release.yaml": start + rest[rest.index("rehearsal:") :]})
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    shop.commit("change", {"release.yaml": whole})
    with open_shop(shop) as session, open_sandbox(session, LINES, None) as opened:
        yield opened


def test_first_version_is_less_than_any_other() -> None:
    """The version installed before a first release precedes every version that can be released."""
    assert versions.parse(scenario.FIRST_VERSION) < versions.parse("0.0.0-alpha.1")


def test_session_of_one_environment_requires_no_other_and_no_confirmation(sandbox: Sandbox) -> None:
    """A session of production alone drops its requirement of staging and the confirmation."""
    with sandbox.context.session("production") as session:
        assert session.context.config.deploy_order() == ("production",)
        for settings in (
            session.context.config.environment("production"),
            session.context.connect("production").settings,
        ):
            assert (settings.requires, settings.confirm) == (None, False)
    with sandbox.context.session() as session:
        assert session.context.config.environment("production").requires == "staging"


def test_environment_unknown_to_the_last_release_fails_the_phase(sandbox: Sandbox) -> None:
    """An environment that the last release did not have is the error of the phase."""
    phase = scenario.run_phase("install", lambda: scenario.install_previous(sandbox.context, "production"))
    assert isinstance(phase.error, ConfigError)
    assert sandbox.context.scratch.refs().count("refs/tags") == 0


def test_previous_version_of_a_hotfix_branch_is_that_of_its_line(
    shop: Tree, on_shared_plane: SharedControlPlane
) -> None:
    """A correction of 1.0 is rehearsed over 1.0.0, whatever else was released or the chart says.

    * correct (HEAD -> release/1.0)
    | * more (v2.0.0, main)
    |/
    * chart (v1.0.0)
    """
    chart = (shop.path / "chart/Chart.yaml").read_text()
    shop.commit("chart", {"chart/Chart.yaml": chart_edits.set_version(chart, "Chart.yaml", "1.0.1")})
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    shop.commit("more", {"web/more.txt": "more\n"})
    shop.git("tag", "v2.0.0")
    shop.git("switch", "--quiet", "--create", "release/1.0", "v1.0.0")
    shop.commit("correct", {"web/index.js": "corrected\n"})
    with open_shop(shop) as session, open_sandbox(session, LINES, None) as opened:
        assert scenario.install_previous(opened.context, "staging") == "1.0.0"
        with opened.context.session() as inside:
            plan = inside.plan_release("1.0.1")
            assert (plan.findings[0], plan.refusals) == ("1.0.1 is patch after 1.0.0 on release/1.0", ())


def test_written_state_changes_with_objects_and_references(sandbox: Sandbox) -> None:
    """New and changed objects and a push change the written state."""
    config, context = sandbox.config, sandbox.context
    namespace = config.environments["staging"].namespace
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
    # Kubernetes adds its root certificate to a new namespace after a while.
    wait_until(lambda: str(context.written_state(config)).count("/kube-root-ca.crt") == 2)
    before = context.written_state(config)
    context.api.create(config_map)
    context.scratch.change(["web/Dockerfile"])
    after = context.written_state(config)
    path = f"api/v1/namespaces/{namespace}/configmaps/a"
    assert after.keys() - before.keys() == {path}
    assert after["remote"] != before["remote"]
    context.api.merge(path, {"data": {"x": "y"}})
    assert context.written_state(config)[path] != after[path]


@pytest.mark.parametrize(
    ("after", "is_finished", "message"),
    [
        ({"remote": "2", "a": "1"}, True, "changed a, remote."),
        ({"remote": "1"}, False, "changed nothing, but had steps to do."),
    ],
)
def test_repeated_release_that_writes_something_is_an_error(
    after: dict[str, str], is_finished: bool, message: str
) -> None:
    """A repeated release fails if it changes something or still has steps to do."""
    states = iter([{"remote": "1"}, after])
    session = SimpleNamespace(
        context=SimpleNamespace(config=None),
        plan_release=lambda version, last: SimpleNamespace(is_finished=is_finished),
        run=lambda plan, listener: None,
    )

    @contextmanager
    def session_double() -> Iterator[Any]:
        yield session

    context: Any = SimpleNamespace(
        session=session_double, written_state=lambda config: next(states), reporter=None
    )
    with pytest.raises(RehearsalError, match="Released again") as failed:
        scenario.release_again(context, "1.0.0", None)
    assert failed.value.problem.endswith(message)
