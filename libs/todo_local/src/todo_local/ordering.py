"""Runs actions in the order of their dependencies, as many at once as that allows."""

from collections.abc import Callable, Mapping, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

POLL_SECONDS = 0.05


def in_order(
    needs: Mapping[str, Set[str]],
    action: Callable[[str], None],
    *,
    should_stop: Callable[[], bool],
    on_give_up: Callable[[], None],
) -> bool:
    """Calls `action` once with each name, after it was called with all that the name needs.

    When `should_stop` becomes true or an action raises, no further action begins, and `on_give_up` is called
    repeatedly until the running actions have ended. Returns whether all were done; raises the first error.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    pending: dict[Future[None], str] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(needs))) as pool:
        try:
            while sorter.is_active() and not should_stop():
                pending |= {pool.submit(action, name): name for name in sorter.get_ready()}
                done, _ = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    name = pending.pop(future)
                    future.result()
                    sorter.done(name)
        finally:
            while pending:
                on_give_up()
                done, _ = wait(pending, timeout=POLL_SECONDS)
                for future in done:
                    pending.pop(future)
    return not sorter.is_active()


def reversed_needs(needs: Mapping[str, Set[str]]) -> dict[str, set[str]]:
    """Returns the needs for the opposite order: "starts after" becomes "stops after"."""
    return {name: {other for other in needs if name in needs[other]} for name in needs}
