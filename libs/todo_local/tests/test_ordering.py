"""Actions in the order of their needs."""

import threading
from collections.abc import Callable

import pytest

from todo_local.ordering import in_order, reversed_needs

NEEDS = {"database": set[str](), "migrate": {"database"}, "app": {"migrate", "bus"}, "bus": set[str]()}


def run(action: Callable[[str], None], should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Runs `action` over NEEDS; giving up does nothing."""
    return in_order(NEEDS, action, should_stop=should_stop, on_give_up=lambda: None)


def test_every_name_comes_after_its_needs() -> None:
    """All are done, and none before what it needs."""
    done: list[str] = []
    assert run(done.append)
    assert sorted(done) == sorted(NEEDS)
    assert [
        name for name, needs in NEEDS.items() if any(done.index(need) > done.index(name) for need in needs)
    ] == []


def test_independent_names_run_at_once() -> None:
    """Actions that do not need each other run at the same time."""
    together = threading.Barrier(2, timeout=10)

    def action(name: str) -> None:
        if name in {"database", "bus"}:
            together.wait()

    assert run(action)


def test_error_ends_the_run_and_releases_running_actions() -> None:
    """After an error no action begins, and running ones are given up until they have ended."""
    given_up = threading.Event()
    begun: list[str] = []

    def action(name: str) -> None:
        begun.append(name)
        if name == "database":
            raise ValueError("no disk")
        assert given_up.wait(10)

    with pytest.raises(ValueError, match="no disk"):
        in_order(NEEDS, action, should_stop=lambda: False, on_give_up=given_up.set)
    assert sorted(begun) == ["bus", "database"]


def test_stop_ends_the_run_without_an_error() -> None:
    """A requested stop is no failure, but not everything was done either."""
    begun: list[str] = []
    assert not run(begun.append, should_stop=lambda: "database" in begun)
    assert "app" not in begun


def test_reversed_needs_give_the_opposite_order() -> None:
    """What is needed stops after what needs it."""
    assert reversed_needs(NEEDS) == {
        "database": {"migrate"},
        "migrate": {"app"},
        "app": set(),
        "bus": {"app"},
    }
