"""A check: an id that names its runbook, the lists it needs, and rules that judge a picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from todo_release.preflight.finding import Finding, Findings, note
from todo_release.preflight.snapshot import PreflightSnapshot, Resource, UnreadError

Rule = Callable[[PreflightSnapshot], Findings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Rules are judged one by one: what one of them cannot see takes nothing from the others."""

    id: str
    title: str
    needs: tuple[Resource, ...] = ()
    rules: tuple[Rule, ...]

    def judge(self, snapshot: PreflightSnapshot) -> Iterator[Finding]:
        """All findings; a rule that misses a fact becomes a note that says which."""
        unseen = set()
        for rule in self.rules:
            try:
                for finding in rule(snapshot):
                    yield replace(finding, check=self.id)
            except UnreadError as missing:
                unseen.add(str(missing))
        for missing_fact in sorted(unseen):
            yield replace(
                note(
                    f"Namespace/{snapshot.namespace}",
                    f"Not everything could be judged: {missing_fact}.",
                    "Give whoever releases the right to read it, or look by hand.",
                ),
                check=self.id,
            )
