"""Imports inside functions are for what is slow to load, and for nothing else.

A command that does not need a slow package must not load it, so that `./inv --list` stays quick. What
counts as slow was measured with `python -X importtime`; the figures are milliseconds on two cores.
"""

import ast
from collections.abc import Iterator
from functools import cache

import grimp
import pytest

from .tree import ENGINE, Source, sources

SLOW_MILLISECONDS = {
    "cryptography": 40,
    "docker": 110,
    "httpx2": 90,
    "kubernetes": 300,
    "prometheus_client": 60,
    "pydantic": 60,
    "rich": 50,
    "ruamel": 50,
    "yaml": 15,
}


@cache
def graph() -> grimp.ImportGraph:
    """Returns the imports of the engine and of the library it uses, with what they import from outside."""
    return grimp.build_graph("todo_release", "todo_embedded", include_external_packages=True, cache_dir=None)


@cache
def is_slow(module: str) -> bool:
    """Returns whether importing a module loads a slow package, directly or through others."""
    package = module.partition(".")[0]
    if package not in {"todo_release", "todo_embedded"}:
        return package in SLOW_MILLISECONDS
    return any(name in SLOW_MILLISECONDS for name in graph().find_upstream_modules(module) | {module})


def late_imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yields line and module of every import that stands inside a function."""
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    yield node.lineno, name if name in graph().modules else node.module


def needless(source: Source) -> list[str]:
    """Returns the late imports of modules that are quick to load."""
    return [
        f"{source.path}:{line}: {module} is quick to load: import it at the top"
        for line, module in sorted(set(late_imports(source)))
        if not is_slow(module)
    ]


def test_late_imports_are_of_slow_modules() -> None:
    """Everything else stands at the top of its module."""
    engine = [source for source in sources() if source.path.startswith(ENGINE)]
    assert [problem for source in engine for problem in needless(source)] == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("from todo_release.core import clock", 1),
        ("import json", 1),
        ("import docker", 0),
        ("from todo_release.config import model", 0),
    ],
)
def test_late_import_is_needless_when_it_is_quick(line: str, count: int) -> None:
    """The standard library and small modules are; what loads pydantic or the Docker SDK is not."""
    source = Source(f"{ENGINE}/core/clock.py", f"def late():\n    {line}\n")
    assert len(needless(source)) == count
