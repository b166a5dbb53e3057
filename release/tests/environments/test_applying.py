"""Helm is started again after an outage of the API server, and only then."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.helm.storage import Revision
from todo_release.adapters.kubernetes.client import ApiUnavailableError
from todo_release.core.fence import Fence
from todo_release.environments.applying import apply_patiently
from todo_release.errors import HelmError, LockedError

from ..doubles.clients import HelmDouble
from ..doubles.scripted import FakeClock

REFUSED = HelmError(
    "helm upgrade failed: Error: Get https://10.0.0.1: connect: connection refused", remedy=""
)
ID = "0.2.0 0123456789abcdef"


class Helm(HelmDouble):
    """A Helm whose server is away until a moment of the clock."""

    clock: FakeClock
    back_at = 0.0

    def newest(self, release: str) -> Revision | None:
        """As `Helm.newest`."""
        if self.clock.seconds < self.back_at:
            raise ApiUnavailableError("away", remedy="Wait.")
        return super().newest(release)


class Setup:
    """An environment, and what Helm does in each try."""

    def __init__(self) -> None:
        """Starts with a server that answers."""
        self.clock = FakeClock()
        self.fence = Fence(self.clock)
        self.helm = Helm()
        self.helm.clock = self.clock
        self.notes: list[str] = []
        self.tries = 0
        self.retried: list[int] = []

    def run(self, *tries: Callable[[], None], cancel: threading.Event | None = None) -> None:
        """Applies; each try does the next thing."""
        doing = iter(tries)

        def action() -> None:
            self.tries += 1
            next(doing)()

        def say(text: str, *, is_note: bool = False) -> None:
            self.notes.append(text)

        access: Any = SimpleNamespace(
            helm=self.helm, fence=self.fence, settings=SimpleNamespace(release="shop")
        )
        apply_patiently(
            access,
            action,
            is_done=lambda newest: newest.description == ID,
            before_retry=lambda newest: self.retried.append(newest.number if newest else 0),
            seconds=100,
            say=say,
            cancel=cancel,
            clock=self.clock,
        )

    def refused(self, *, back_after: float, status: str | None = None) -> Callable[[], None]:
        """Returns a try that ends in an outage, with a revision in this status if there is one."""

        def action() -> None:
            self.helm.back_at = self.clock.seconds + back_after
            if status:
                self.helm._add("0.2.0", status, ID)
            raise REFUSED

        return action


def test_helm_is_started_again_when_the_server_is_back() -> None:
    """A revision that Helm left pending is unlocked first, and the next try has the next number."""
    setup = Setup()
    setup.run(setup.refused(back_after=60, status="pending-upgrade"), lambda: None)
    assert setup.tries == 2
    assert setup.clock.seconds == pytest.approx(60, abs=2)
    assert setup.helm.revisions[0].status == "failed"
    assert setup.retried == [1]
    assert "connection refused: tried again when the API server answers" in setup.notes[0]


def test_success_that_the_outage_hid_is_not_repeated() -> None:
    """Helm had applied everything and recorded it when its last answer was lost."""
    setup = Setup()
    setup.run(setup.refused(back_after=5, status="deployed"))
    assert setup.tries == 1


def test_outage_until_the_end_raises_what_helm_said() -> None:
    """The caller then undoes what was half applied."""
    setup = Setup()
    with pytest.raises(HelmError, match="connection refused"):
        setup.run(setup.refused(back_after=1000))
    assert setup.clock.seconds == pytest.approx(100, abs=2)


def test_refusal_of_helm_is_no_outage() -> None:
    """A chart that Helm refuses is not tried again."""
    setup = Setup()

    def action() -> None:
        raise HelmError("helm upgrade failed: Error: a hook failed", remedy="")

    with pytest.raises(HelmError, match="a hook failed"):
        setup.run(action)
    assert setup.tries == 1


def test_lock_that_could_not_be_renewed_is_waited_for() -> None:
    """Helm was killed because nobody could renew the lock; when that works again, Helm starts again."""
    setup = Setup()

    def killed() -> None:
        setup.fence.extend(0, LockedError("It could not be renewed.", remedy="Wait."))
        sleep = setup.clock.sleep

        def renew_later(seconds: float) -> None:
            sleep(seconds)
            if setup.clock.seconds >= 20:
                setup.fence.extend(1000, LockedError("It could not be renewed.", remedy="Wait."))

        setup.clock.sleep = renew_later  # type: ignore[method-assign]  # a double
        setup.fence.check()

    setup.run(killed, setup.fence.check)
    assert (setup.tries, setup.clock.seconds) == (2, 20)


def test_lock_that_somebody_else_holds_ends_it() -> None:
    """Nothing is tried again, and nothing is unlocked, when another run owns the environment."""
    setup = Setup()

    def taken() -> None:
        setup.helm._add("0.2.0", "pending-upgrade", ID)
        setup.fence.close(LockedError("Bob releases.", remedy="Wait."))
        setup.fence.check()

    with pytest.raises(LockedError, match="Bob releases"):
        setup.run(taken)
    assert setup.helm.revisions[0].status == "pending-upgrade"
    assert setup.clock.seconds == 0


def test_cancelled_wait_ends() -> None:
    """A failure that the watch has found meanwhile ends the wait."""
    setup, cancel = Setup(), threading.Event()
    cancel.set()
    with pytest.raises(HelmError, match="connection refused"):
        setup.run(setup.refused(back_after=60), cancel=cancel)
    assert setup.clock.seconds == 0
