"""What is wrong with one value of a Secret; never the value itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from todo_cluster.errors import SecretsError


@dataclass(frozen=True, slots=True, order=True)
class ValueProblem:
    """A sentence about the value of a key, and what to do about it."""

    key: str
    text: str
    remedy: str


def error_of(environment: str, problems: Iterable[ValueProblem]) -> SecretsError:
    """Returns one error that names every problem; there must be at least one."""
    found = sorted(problems)
    lines = "".join(f"\n  {problem.key}: {problem.text} {problem.remedy}" for problem in found)
    count = "1 value" if len(found) == 1 else f"{len(found)} values"
    return SecretsError(
        f"{count} of {environment} cannot be used, so nothing was written:{lines}",
        remedy="Correct them and run the command again.",
    )
