"""How long it takes until a version that can never become ready is taken back, and what is said then."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import yaml

from bench.release import turns
from bench.release.peer import Peer
from tests.system.mistakes import MISTAKES, UNCHECKED
from tests.system.shopkeeper import Shop

DOOMED = {
    "bad-image": "image of a digest that nobody pushed",
    "missing-secret": "secret that is not there",
    "full-node": "pod that no node can take",
    "crash": "program that ends",
}
COLUMNS = ("mistake", "inv release", "it names", "helm --atomic", "it says", "times ours")
HELM_TIMEOUT = "300s"


def rows(shop: Shop) -> list[tuple[str, ...]]:
    """A row a mistake, from the start of the command until the version before serves again.

    Preflight is told to let every mistake pass. Helm does nothing but wait, so all its runs wait at once
    while ours come one after the other.
    """
    shop.run("release", f"--version={shop.next_version()}", "--to=staging")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peers = [stack.enter_context(Peer.installed(shop, name, folder)) for name in DOOMED]
        pool = stack.enter_context(ThreadPoolExecutor(len(peers)))
        theirs = [pool.submit(_helm, peer, DOOMED[name]) for peer, name in zip(peers, DOOMED, strict=True)]
        ours = [_ours(shop, mistake) for mistake in DOOMED.values()]
        return [
            (mistake, f"{ours_took:.1f} s", cause, f"{took:.1f} s", said, f"{took / ours_took:.1f}")
            for mistake, (ours_took, cause), (took, said) in zip(
                DOOMED.values(), ours, (one.result() for one in theirs), strict=True
            )
        ]


def _ours(shop: Shop, mistake: str) -> tuple[float, str]:
    """Seconds, and the cause and the exit code that the release ended with."""
    meant = MISTAKES[mistake]
    shop.configure("staging", meant.values(shop))
    version = shop.next_version()
    seconds, run = turns.timed(
        lambda: shop.run("release", f"--version={version}", "--to=staging", *UNCHECKED, code=meant.code)
    )
    cause = run.failure["problem"].rpartition("[")[2].rstrip("].")
    return seconds, f"{cause} ({run.code()})"


def _helm(peer: Peer, mistake: str) -> tuple[float, str]:
    """Seconds, and the reason that Helm gave."""
    values = peer.values.with_suffix(".doomed.yaml")
    values.write_text(yaml.safe_dump(dict(MISTAKES[mistake].values(peer.shop))), encoding="utf-8")
    options = ("--atomic", f"--timeout={HELM_TIMEOUT}", f"--values={values}")
    seconds, done = turns.timed(lambda: peer.helm("upgrade", *options))
    assert done.returncode != 0
    return seconds, done.stderr.strip().rpartition(": ")[2]
