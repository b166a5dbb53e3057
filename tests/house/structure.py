"""Measures how the modules of a package hang together: `python -m tests.house.structure [REVISION]`.

It prints the figures of the engine as it is checked out, beside those of a revision if one is named. A room
is a folder or module directly below the package; an arrow says that one room imports from another.
"""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import grimp

from .tree import ENGINE, ROOT


@dataclass(frozen=True, kw_only=True)
class Structure:
    """The figures of one package."""

    modules: int
    rooms: int
    levels: int
    arrows: int
    circles: int
    median_lines: int
    largest_lines: int
    largest: str
    imports_in_functions: int


def measure(package: Path) -> Structure:
    """Returns the figures of the package in a folder."""
    graph = _graph(package)
    files = sorted(package.rglob("*.py"))
    lines = {file: file.read_text(encoding="utf-8").count("\n") for file in files}
    largest = max(files, key=lambda file: lines[file])
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    room_of = {module: _room(module) for module in graph.modules}
    between: dict[str, set[str]] = {room: set() for room in room_of.values() if room}
    for importer, found in imports.items():
        for imported in found:
            if room_of[importer] and room_of[imported] and room_of[importer] != room_of[imported]:
                between[room_of[importer]].add(room_of[imported])
    return Structure(
        modules=len(files),
        rooms=len(between),
        levels=_levels(between),
        arrows=sum(len(imported) for imported in between.values()),
        circles=len(_circles(imports)),
        median_lines=round(median(lines.values())),
        largest_lines=lines[largest],
        largest=largest.relative_to(package).as_posix(),
        imports_in_functions=sum(
            len(imports_in_functions(file.read_text(encoding="utf-8"))) for file in files
        ),
    )


def imports_in_functions(text: str) -> list[int]:
    """Returns the lines of the import statements that stand inside functions."""
    return sorted(
        {
            statement.lineno
            for function in ast.walk(ast.parse(text))
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for statement in ast.walk(function)
            if isinstance(statement, ast.Import | ast.ImportFrom)
        }
    )


def _graph(package: Path) -> grimp.ImportGraph:
    sys.path.insert(0, str(package.parent))
    try:
        for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
            del sys.modules[name]
        return grimp.build_graph(package.name, cache_dir=None)
    finally:
        sys.path.remove(str(package.parent))


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _levels(imports: dict[str, set[str]]) -> int:
    """Returns the length of the longest chain of imports; a circle counts as one."""
    group = {member: min(circle) for circle in _circles(imports) for member in circle}
    below: dict[str, set[str]] = {}
    for module, found in imports.items():
        name = group.get(module, module)
        below.setdefault(name, set()).update({group.get(imported, imported) for imported in found} - {name})
    level: dict[str, int] = {}
    for module in TopologicalSorter(below).static_order():
        level[module] = 1 + max((level[imported] for imported in below.get(module, ())), default=0)
    return max(level.values())


def _circles(imports: dict[str, set[str]]) -> list[set[str]]:
    """Returns the groups that import each other, directly or through others."""
    reached = {name: _reached(name, imports) for name in imports}
    groups = [{other for other in reached[name] if name in reached[other]} for name in imports]
    circles: list[set[str]] = []
    for group in groups:
        if group and group not in circles:
            circles.append(group)
    return circles


def _reached(start: str, imports: dict[str, set[str]]) -> set[str]:
    """Returns everything that a room imports, directly or through others."""
    reached: set[str] = set()
    waiting = set(imports[start])
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= imports[name] - reached
    return reached


@contextmanager
def _checked_out(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", tree, revision], cwd=ROOT, check=True
        )
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def _rows(structures: Iterable[Structure]) -> Iterator[tuple[str, ...]]:
    measured = list(structures)
    yield ("modules", *(str(structure.modules) for structure in measured))
    yield ("rooms", *(str(structure.rooms) for structure in measured))
    yield ("levels of rooms", *(str(structure.levels) for structure in measured))
    yield ("arrows between rooms", *(str(structure.arrows) for structure in measured))
    yield ("circles of modules", *(str(structure.circles) for structure in measured))
    yield ("lines of the median module", *(str(structure.median_lines) for structure in measured))
    yield (
        "lines of the largest module",
        *(f"{structure.largest_lines} ({structure.largest})" for structure in measured),
    )
    yield ("imports inside functions", *(str(structure.imports_in_functions) for structure in measured))


def main(arguments: list[str]) -> None:
    """Prints the table."""
    columns: list[tuple[str, Structure]] = []
    for revision in arguments:
        with _checked_out(revision) as tree:
            columns.append((revision, measure(tree / ENGINE)))
    columns.append(("here", measure(ROOT / ENGINE)))
    rows = [("", *(name for name, _ in columns)), *_rows(structure for _, structure in columns)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201  # a command's output


if __name__ == "__main__":
    main(sys.argv[1:])
