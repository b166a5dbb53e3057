"""The rules of the house hold in this repository, and each is tripped by an example."""

from pathlib import Path

import pytest

from . import rules
from .rules import RULES, Problem, Rule
from .tree import ENGINE, ROOT, Source, documents, sources

MODULE = f"{ENGINE}/core/clock.py"
EXAMPLES = [
    (rules.one_starter, MODULE, "import subprocess\n"),
    (rules.one_starter, MODULE, "from os import execvp\n"),
    (rules.one_starter, "libs/todo_embedded/src/todo_embedded/node.py", "import os\nos.system('x')\n"),
    (rules.one_reader, "services/mcp/src/todo_mcp/app.py", "import os\nurl = os.environ['URL']\n"),
    (rules.one_reader, "libs/todo_kit/src/todo_kit/bus.py", "from os import getenv\n"),
    (rules.reasoned, MODULE, "import os  # noqa\n"),
    (rules.reasoned, MODULE, "import os  # noqa: F401\n"),
    (rules.reasoned, MODULE, "x = y  # type: ignore[name-defined] - no second comment sign\n"),
    (rules.third_person, MODULE, 'def wait():\n    """Wait for it."""\n'),
    (rules.plain_words, MODULE, "def open_theatre(): ...\n"),
    (rules.plain_words, MODULE, "class Doomed: ...\n"),
    (rules.plain_words, MODULE, "# It is never knocked at.\n"),
    (rules.small_enough, MODULE, "x = 1\n" * (rules.MODULE_LINES + 1)),
    (rules.small_enough, MODULE, "def long():\n" + "    x = 1\n" * rules.FUNCTION_LINES),
    (rules.no_application, MODULE, "URL = '/api/todos'\n"),
    (rules.no_application, MODULE, "import todo_backend\n"),
    (rules.no_application, MODULE, "POOL = 'doks.digitalocean.com/node-pool'\n"),
]
# What is over a limit, with the reason why it stays so. A test fails when one of them is no longer needed.
TOLERATED: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds_everywhere(rule: Rule) -> None:
    """Every file of the repository keeps it, except for what is tolerated with a reason."""
    problems = [problem for source in sources() for problem in rule(source)]
    assert [str(problem) for problem in problems if not _is_tolerated(rule, problem)] == []


@pytest.mark.parametrize(("rule", "path", "text"), EXAMPLES, ids=lambda value: getattr(value, "__name__", ""))
def test_rule_is_tripped_by_an_example(rule: Rule, path: str, text: str) -> None:
    """The example breaks this rule, once, at its last or only line of code."""
    assert len(list(rule(Source(path, text)))) >= 1


def test_every_rule_has_an_example() -> None:
    """A rule that nothing can trip checks nothing."""
    assert {example[0] for example in EXAMPLES} == set(RULES)


def test_tolerated_places_still_break_their_rule() -> None:
    """An exception ends with its reason."""
    problems = {
        (rule.__name__, problem.path) for rule in RULES for source in sources() for problem in rule(source)
    }
    assert set(TOLERATED) <= problems


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_use_plain_words(path: Path) -> None:
    """Pages for people keep to the field's words too."""
    name = path.relative_to(ROOT).as_posix()
    assert [str(problem) for problem in rules.words_in(name, path.read_text(encoding="utf-8"))] == []


def _is_tolerated(rule: Rule, problem: Problem) -> bool:
    return (rule.__name__, problem.path) in TOLERATED
