"""A preflight check: an id that names its runbook, the API lists it needs, and its rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from todo_release.adapters.kubernetes.api_resources import Resource
from todo_release.preflight.finding import Finding, Findings, note
from todo_release.preflight.snapshot import PreflightSnapshot, UnreadError

Rule = Callable[[PreflightSnapshot], Findings]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightCheck:
    """A check; its rules are independent, so one that lacks a fact does not stop the others."""

    id: str
    title: str
    needs: tuple[Resource, ...] = ()
    rules: tuple[Rule, ...]

    def evaluate(self, snapshot: PreflightSnapshot) -> Iterator[Finding]:
        """Yields all findings; a rule that lacks a fact becomes a note that says which."""
        missing_facts = set()
        for rule in self.rules:
            try:
                for finding in rule(snapshot):
                    yield replace(finding, check=self.id)
            except UnreadError as unread:
                missing_facts.add(str(unread))
        for missing_fact in sorted(missing_facts):
            yield replace(
                note(
                    f"Namespace/{snapshot.namespace}",
                    f"Not everything could be checked: {missing_fact}.",
                    "Give the account that releases the right to read it, or check it by hand.",
                ),
                check=self.id,
            )
