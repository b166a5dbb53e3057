"""Checks that Alembic can order its revisions: every parent exists, and one revision is the last.

Revisions are read from the files and nothing is imported; Alembic itself would find out when the migration
Job runs, which is after the images are built.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from todo_release.core.yaml_positions import Place
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot

VERSIONS = "versions"  # Alembic's name of the folder of revisions; folders in it belong to the same chain
RELATIVE = ("+", "-", "@")  # parents such as `base@head` are resolved by Alembic alone


@dataclass(frozen=True, slots=True)
class Revision:
    """One script: its id, the ids that it follows and needs; `line` is that of down_revision."""

    path: str
    id: str
    parents: tuple[str, ...]
    dependencies: tuple[str, ...]
    is_branch: bool
    line: int


def revisions_are_a_chain(snapshot: PreflightSnapshot) -> Findings:
    """Checks the revisions of each folder for themselves."""
    for folder, revisions in _by_folder(snapshot.migration_scripts).items():
        problems = [*_same_ids(revisions), *_unknown_parents(revisions)]
        yield from problems or _ends(folder, revisions)


def parse_revision(path: str, text: str) -> Revision | None:
    """Returns the revision that a script defines; None when it is no Alembic script."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    values: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    for node in tree.body:
        targets, value = _assignment(node)
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                values[target.id], lines[target.id] = _ids(value), node.lineno
    if not values.get("revision") or "down_revision" not in values:
        return None
    return Revision(
        path=path,
        id=values["revision"][0],
        parents=values["down_revision"],
        dependencies=values.get("depends_on", ()),
        is_branch=bool(values.get("branch_labels")),
        line=lines["down_revision"],
    )


def _assignment(node: ast.stmt) -> tuple[list[ast.expr], ast.expr | None]:
    if isinstance(node, ast.Assign):
        return node.targets, node.value
    return ([node.target], node.value) if isinstance(node, ast.AnnAssign) else ([], None)


def _ids(value: ast.expr) -> tuple[str, ...]:
    """Returns the texts of a literal: one, several, or none."""
    return tuple(
        node.value
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _by_folder(scripts: Mapping[str, str]) -> dict[str, list[Revision]]:
    folders: dict[str, list[Revision]] = {}
    for path, text in sorted(scripts.items()):
        revision = parse_revision(path, text) if path.endswith(".py") else None
        if revision is not None:
            folders.setdefault(_folder(path), []).append(revision)
    return folders


def _folder(path: str) -> str:
    parents = PurePosixPath(path).parents
    return str(next((parent for parent in parents if parent.name == VERSIONS), parents[0]))


def _same_ids(revisions: Iterable[Revision]) -> Iterator[Finding]:
    first: dict[str, Revision] = {}
    for revision in revisions:
        other = first.setdefault(revision.id, revision)
        if other is not revision:
            yield error(
                revision.path,
                f"The revision {revision.id} is also that of {other.path}, so one of them never runs.",
                "Give one of them another id, and correct down_revision of what follows it.",
                place=Place(revision.path, revision.line, 1),
            )


def _unknown_parents(revisions: list[Revision]) -> Iterator[Finding]:
    for revision in revisions:
        for parent in (*revision.parents, *revision.dependencies):
            if _find(parent, revisions) is None and not set(parent) & set(RELATIVE):
                others = sorted(other.id for other in _heads(revisions) if other is not revision)
                yield error(
                    revision.path,
                    f"The revision {revision.id} follows {parent}, which no script defines: Alembic refuses "
                    "to run any migration.",
                    f"Add the script of {parent}, or correct down_revision; what nothing follows yet is "
                    f"{', '.join(others) or 'none'}.",
                    place=Place(revision.path, revision.line, 1),
                )


def _ends(folder: str, revisions: list[Revision]) -> Iterator[Finding]:
    heads = _heads(revisions)
    if revisions and not heads:
        first = revisions[0]
        yield error(
            first.path,
            f"The revisions in {folder} follow each other in a circle: Alembic refuses to run any migration.",
            "Correct down_revision of the first one: it is None.",
            place=Place(first.path, first.line, 1),
        )
    # Labelled branches are upgraded by their names or by `heads`; without them `upgrade head` fails.
    finding = warning if any(revision.is_branch for revision in revisions) else error
    names = " and ".join(f"{head.id} ({PurePosixPath(head.path).name})" for head in heads)
    for head in heads[1:]:
        yield finding(
            head.path,
            f"{folder} has {len(heads)} last revisions, {names}: `alembic upgrade head` fails.",
            f"Set down_revision to {heads[0].id}, or merge them: `alembic merge heads`.",
            place=Place(head.path, head.line, 1),
        )


def _heads(revisions: list[Revision]) -> list[Revision]:
    """Returns the revisions that no other one follows."""
    followed = {_find(parent, revisions) for revision in revisions for parent in revision.parents}
    return [revision for revision in revisions if revision.id not in followed]


def _find(parent: str, revisions: Iterable[Revision]) -> str | None:
    """Returns the id that a parent names, in full or by its beginning; None when there is none."""
    ids = {revision.id for revision in revisions}
    matching = [name for name in ids if name.startswith(parent)]
    if parent in ids:
        return parent
    return matching[0] if len(matching) == 1 else None
