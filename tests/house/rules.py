"""The rules of the house that no linter knows: each takes a file and yields what breaks it, by line."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .tree import ENGINE, Source

# The one module of each package that starts programs; `launcher` and `__main__` become what they start.
STARTERS = {
    f"{ENGINE}/adapters/process.py",
    "libs/todo_embedded/src/todo_embedded/process.py",
    "libs/todo_embedded/src/todo_embedded/launcher.py",
    "libs/todo_embedded/src/todo_embedded/__main__.py",
}
STARTS = re.compile(r"subprocess|multiprocessing|pty|os\.(exec|spawn|posix_spawn|fork|system|popen)\w*")
# The one module of each package that reads the environment of the process.
READERS = {
    "libs/todo_kit/src/todo_kit/settings.py",
    "services/backend/src/todo_backend/settings.py",
    "services/mcp/src/todo_mcp/settings.py",
    "services/notification/src/todo_notification/settings.py",
    "services/sse_gateway/src/todo_sse_gateway/settings.py",
}
SERVICES = ("libs/todo_kit/src/", "services/")
# Packages that take so long to load that a command which does not need them must not load them.
SLOW = {"cryptography", "docker", "httpx2", "jinja2", "kubernetes", "pydantic", "rich", "ruamel", "urllib3"}
MODULE_LINES = 400
FUNCTION_LINES = 60
# Words of the private language that the house spoke before; "stage" is left to kwok, Docker and git.
OLD_WORDS = re.compile(
    r"(?<![A-Za-z])(theatres?|dooms?|doomed|newcomers?|befalls?|befallen|homeless|knock(?:ed|s)?|furnish(?:ed|es)?|"
    r"fates?|doors?|acts|picture(?:s|d)?|diary|diaries|twin|hands|happenings?|troubles|tall(?:y|ies)|plays|played)"
    r"(?![A-Za-z])",
    re.IGNORECASE,
)
ALLOWED = re.compile(r"\"happening\":|docs/images|--twin|twin=|\btwin: str|\btwin or None")
# What the engine may be called itself, and the library of real servers that it uses.
OWN = re.compile(r"\btodo_(release|embedded)\b|todo-release|todo-embedded")
FOREIGN = re.compile(
    r"\btodo\w*|\bfrontend\b|\bmcp\b|\bnotifications?\b|\bsse\b|\bsse[-_]gateway\b|"
    r"digitalocean|\bdoks\b|\bdoctl\b|\bdroplets?\b|\bdo-[a-z]{3}\d\b|redpanda|hackathon|\b(?:eks|gke|aks)\b",
    re.IGNORECASE,
)
SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|fmt:|nosec|pragma)\b.*")
REASONED = re.compile(
    r"# (noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*|type: ignore\[[a-z-]+(, ?[a-z-]+)*\])  # \S.*"
    r"|# fmt: (skip|off|on)"
)


@dataclass(frozen=True)
class Problem:
    """A place that breaks a rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        """Returns the form that editors turn into links."""
        return f"{self.path}:{self.line}: {self.text}"


Rule = Callable[[Source], Iterator[Problem]]


def one_starter(source: Source) -> Iterator[Problem]:
    """Programs are started by one module a package, which resolves, logs, runs, judges and raises."""
    if source.is_test or source.path in STARTERS or not _is_product(source):
        return
    for node in ast.walk(source.tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [name]
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if STARTS.match(name):
                yield Problem(source.path, getattr(node, "lineno", 1), f"starts a program: {name}")


def one_reader(source: Source) -> Iterator[Problem]:
    """Only `settings.py` of a service reads the environment, so that what can be set is one list."""
    if source.is_test or source.path in READERS or not source.path.startswith(SERVICES):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
            yield Problem(source.path, node.lineno, "reads the environment")
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            for alias in node.names:
                if alias.name in {"environ", "getenv"}:
                    yield Problem(source.path, node.lineno, "reads the environment")


def reasoned(source: Source) -> Iterator[Problem]:
    """A suppression names its code and its reason, in one form: `# noqa: CODE  # reason`."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        found = SUPPRESSION.search(line)
        if found and not _is_in_string(line, found.start()) and not REASONED.fullmatch(found[0]):
            yield Problem(source.path, number, f"no reason, or another form: {found[0]}")


def third_person(source: Source) -> Iterator[Problem]:
    """The summary of a function says what it does in the third person: "Returns", "Checks"."""
    if source.is_test or not _is_product(source):
        return
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_described_otherwise(node):
            continue
        text = ast.get_docstring(node)
        first = text.split()[0].strip("`,.:") if text else ""
        if text and not re.fullmatch(r"[A-Z]\w*s|See", first):
            yield Problem(source.path, node.lineno, f"{node.name}: {text.splitlines()[0]}")


def plain_words(source: Source) -> Iterator[Problem]:
    """Names and sentences use the field's words, not those of an earlier private language."""
    if source.path.startswith("tests/house/"):
        return
    yield from words_in(source.path, source.text)


def words_in(path: str, text: str) -> Iterator[Problem]:
    """Yields each place where a text uses a word that nobody outside this project would understand."""
    for number, line in enumerate(text.splitlines(), start=1):
        if ALLOWED.search(line):
            continue
        for word in OLD_WORDS.findall(line):
            yield Problem(path, number, f"{word!r}: {line.strip()}")


def small_enough(source: Source) -> Iterator[Problem]:
    """A module is read in one go and a function fits a screen."""
    if not _is_product(source):
        return
    length = source.text.count("\n")
    if length > MODULE_LINES:
        yield Problem(source.path, 1, f"{length} lines")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield Problem(source.path, node.lineno, f"{node.name}: {lines} lines")


def no_application(source: Source) -> Iterator[Problem]:
    """The engine names no application, service or provider: what it needs of them stands in release.yaml."""
    if not source.path.startswith(ENGINE):
        return
    for number, line in enumerate(source.text.splitlines(), start=1):
        for name in FOREIGN.findall(OWN.sub("", line)):
            yield Problem(source.path, number, f"names {name}: {line.strip()}")


RULES: tuple[Rule, ...] = (
    one_starter,
    one_reader,
    reasoned,
    third_person,
    plain_words,
    small_enough,
    no_application,
)


def _is_product(source: Source) -> bool:
    # A released migration is never edited again, whatever its style.
    return "/src/" in source.path and "/migrations/versions/" not in source.path


def _is_described_otherwise(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Returns whether another form is usual: of properties, `__init__`, routes and tools."""
    names = {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list}
    ends = {name.rpartition(".")[2] for name in names}
    return node.name == "__init__" or bool(ends & {"property", "cached_property"} or _is_published(names))


def _is_published(decorators: set[str]) -> bool:
    return any(name.startswith(("router.", "app.", "tools.")) for name in decorators)


def _is_in_string(line: str, position: int) -> bool:
    """Returns whether a place is inside a string that begins and ends on this line."""
    return line[:position].count('"') % 2 == 1
