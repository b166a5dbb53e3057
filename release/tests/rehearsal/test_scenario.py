"""The acts of a rehearsal one by one, where whole rehearsals do not go."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.artifacts import versions
from todo_release.errors import ConfigError, RehearsalError
from todo_release.rehearsal import scenario
from todo_release.rehearsal.sandbox import Theatre, open_theatre

from ..shop import Tree
from .deployable_shop import LINES, opened
from .shared_control_plane import SharedPlane
from .waiting import until


@pytest.fixture
def theatre(shop: Tree, on_shared_plane: SharedPlane) -> Iterator[Theatre]:
    """A theatre for the shop, in which nothing was played yet.

    * change (HEAD -> main)
    * add (v1.0.0), whose release.yaml has no production
    """
    whole = (shop.path / "release.yaml").read_text()
    start, rest = whole.split("  production:\n")
    shop.commit("less", {"release.yaml": start + rest[rest.index("rehearsal:") :]})
    shop.git("tag", "--annotate", "v1.0.0", "--message", "1.0.0")
    shop.commit("change", {"release.yaml": whole})
    with opened(shop) as session, open_theatre(session, LINES, None) as made:
        yield made


def test_first_version_of_a_rehearsal_is_less_than_any_other() -> None:
    """Else the version that is asked for could be refused."""
    assert versions.parse(scenario.FIRST) < versions.parse("0.0.0-alpha.1")


def test_session_of_some_environments_needs_neither_another_one_nor_a_person(theatre: Theatre) -> None:
    """So that production alone can be brought to what ran before."""
    with theatre.stage.session("production") as session:
        assert session.context.config.deploy_order() == ("production",)
        for settings in (
            session.context.config.environment("production"),
            session.context.reach("production").settings,
        ):
            assert (settings.requires, settings.confirm) == (None, False)
    with theatre.stage.session() as session:
        assert session.context.config.environment("production").requires == "staging"


def test_environment_that_the_last_release_did_not_have_ends_the_act(theatre: Theatre) -> None:
    """What ran before cannot be set up then; that is an act's error and none of the program's."""
    played = scenario.play("what runs before", lambda: scenario.install(theatre.stage, "production"))
    assert isinstance(played.error, ConfigError)
    assert theatre.stage.scratch.refs().count("refs/tags") == 0


def test_written_sees_every_object_of_a_release_and_every_reference(theatre: Theatre) -> None:
    """An object that is changed has another version, a tag that is added another list."""
    config, stage = theatre.config, theatre.stage
    namespace = config.environments["staging"].namespace
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
    # The cluster puts its own authority into each namespace, some time after it was made.
    until(lambda: str(stage.written(config)).count("/kube-root-ca.crt") == 2)
    before = stage.written(config)
    stage.api.create(made)
    stage.scratch.change(["web/Dockerfile"])
    after = stage.written(config)
    path = f"api/v1/namespaces/{namespace}/configmaps/a"
    assert after.keys() - before.keys() == {path}
    assert after["remote"] != before["remote"]
    stage.api.merge(path, {"data": {"x": "y"}})
    assert stage.written(config)[path] != after[path]


@pytest.mark.parametrize(
    ("after", "is_finished", "told"),
    [
        ({"remote": "2", "a": "1"}, True, "changed a, remote."),
        ({"remote": "1"}, False, "changed nothing, but had steps to do."),
    ],
)
def test_release_that_is_repeated_and_writes_something_is_an_error(
    after: dict[str, str], is_finished: bool, told: str
) -> None:
    """Or that has steps to do although it was finished."""
    looks = iter([{"remote": "1"}, after])
    session = SimpleNamespace(
        context=SimpleNamespace(config=None),
        release=lambda version, last: SimpleNamespace(is_finished=is_finished),
        run=lambda plan, listener: None,
    )

    @contextmanager
    def opened_again() -> Iterator[Any]:
        yield session

    stage: Any = SimpleNamespace(session=opened_again, written=lambda config: next(looks), reporter=None)
    with pytest.raises(RehearsalError, match="Released again") as failed:
        scenario.repeat(stage, "1.0.0", None)
    assert failed.value.problem.endswith(told)
