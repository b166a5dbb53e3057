"""The contract of exit codes of the commands for the cluster."""

import re
from pathlib import Path

from todo_cluster import errors
from todo_release.errors import ReleaseError

PAGE = Path(__file__).parents[3] / "docs/exit-codes.md"


def codes() -> dict[str, str]:
    """Returns the exit code of every error of this package, by the error's name."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return {kind.__name__: str(kind.exit_code) for kind in kinds if kind is not ReleaseError}


def test_every_error_has_a_code_that_the_engine_does_not_use() -> None:
    """The engine owns the codes up to 39; here every error has one of its own."""
    numbers = [int(code) for code in codes().values()]
    assert len(set(numbers)) == len(numbers) > 0
    assert min(numbers) >= 40
    assert max(numbers) < 125


def test_docstring_and_page_say_the_same_of_each_code() -> None:
    """The tree in the docstring and docs/exit-codes.md name the same errors, codes and meanings."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition("## The commands for the cluster")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.+?) \|", section, re.MULTILINE)
    tree = re.findall(r"── (\w+) +(\d+) {3}(.+)$", errors.__doc__ or "", re.MULTILINE)
    assert {(name, code, meaning) for code, name, meaning in rows} == set(tree)
    assert {name: code for code, name, _ in rows} == codes()
