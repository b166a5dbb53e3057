"""The contract of exit codes."""

import re
from pathlib import Path

from todo_release import errors
from todo_release.errors import ConfigError, ReleaseError, RolloutError
from todo_release.preflight.errors import PreflightError

README = Path(__file__).parents[1] / "README.md"
EXIT_CODES = Path(__file__).parents[2] / "docs/exit-codes.md"


def kinds() -> list[type[ReleaseError]]:
    """Returns every error class of the engine."""
    inside = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ReleaseError)
    ]
    return [*inside, PreflightError]


def test_every_error_has_a_code_of_its_own() -> None:
    """No two errors share an exit code."""
    codes = [kind.exit_code for kind in kinds() if kind is not ReleaseError]
    assert len(codes) == len(set(codes)) > 10
    assert not {0, 1, 130} & set(codes)


def test_tree_in_the_docstring_and_table_in_the_readme_name_the_same_codes() -> None:
    """The docstring of `errors`, the README and the classes name the same codes."""
    table = {int(code) for code in re.findall(r"^\| (\d+) ", README.read_text(), re.MULTILINE)}
    codes = {kind.exit_code for kind in kinds() if kind not in {ReleaseError, RolloutError}}
    assert table == codes | {0, 1, errors.INTERRUPTED}
    tree = dict(re.findall(r"── (?:\w+\.)?(\w+) +(\d+)", errors.__doc__ or ""))
    assert tree == {kind.__name__: str(kind.exit_code) for kind in kinds() if kind is not ReleaseError}


def test_docstring_readme_and_page_say_the_same_of_each_code() -> None:
    """Each exit code has one sentence, which all three places repeat."""
    docstring = dict(re.findall(r"── [\w.]+ +(\d+) {3}(.+)$", errors.__doc__ or "", re.MULTILINE))
    readme = dict(re.findall(r"^\| (\d+) \| (.+?) \|", README.read_text(), re.MULTILINE))
    page = dict(re.findall(r"^\| (\d+) \| `\w+Error` \| (.+?) \|", EXIT_CODES.read_text(), re.MULTILINE))
    for table in (readme, page):
        assert {code: table[code].replace("`", "") for code in docstring} == docstring


def test_error_reads_as_problem_then_remedy() -> None:
    """An error as text is the problem, then the remedy, on one line."""
    error = ConfigError("A is wrong.", remedy="Correct it.", file="release.yaml", line=2)
    assert str(error) == "release.yaml:2: A is wrong. Correct it."
    assert str(RolloutError("It crashes.", remedy="Look.", code=26)) == "It crashes. Look."
