"""Migrations that this release runs while the old version still serves: whether that version can live with
them.

Alembic's scripts are read as Python: what `upgrade` takes away or renames breaks the running version if that
uses it, what it adds does not (expand, release, contract). Anything else is only named.
"""

import ast
import re
from dataclasses import dataclass

from todo_release.located import Place
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.picture import Migration, Picture, UnreadError

ADDS = ("create_table", "create_index", "drop_index", "create_sequence")
TAKES = ("drop_table", "drop_column", "rename_table")
RAW = re.compile(r"\b(DROP\s+(?:TABLE|COLUMN)|RENAME\b|SET\s+NOT\s+NULL|ALTER\s+COLUMN\s+\S+\s+TYPE)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call in `upgrade`. `names` are the table and, if it is about one, the column; `harm` says what it
    does to a version that uses them, empty when nothing.
    """

    line: int
    call: str
    names: tuple[str, ...]
    harm: str
    is_certain: bool = False


def _running_version_survives(picture: Picture) -> Findings:
    if picture.migrations is None:
        raise UnreadError(f"the commit of {picture.live.running}, which runs, is not known here")
    found = {migration.path: _operations(migration) for migration in picture.migrations}
    created = {one.names[0] for each in found.values() for one in each or () if one.call == "create_table"}
    for migration in picture.migrations:
        operations = found[migration.path]
        harmful = [one for one in operations or () if one.harm and one.names[:1] != tuple(created & set(one.names[:1]))]
        for one in harmful:
            yield _harm(migration, one)
        if not harmful:
            yield note(
                migration.path,
                "This migration runs before the new version starts"
                + ("; it only adds." if operations else "; what it does was not recognised."),
                "A rollback of the release does not take it back.",
                place=Place(migration.path, 1, 1),
            )


def _harm(migration: Migration, one: Operation) -> Finding:
    mention = migration.mentions.get(one.names[-1], "") if one.names else ""
    uses = f" The running version names it in {mention}." if mention else ""
    say = error if one.is_certain or mention else warning
    return say(
        migration.path,
        f"{one.call}({', '.join(one.names)}) {one.harm} while the running version still serves.{uses}",
        "Expand first: release code that does without, and take it away in a later release.",
        place=Place(migration.path, one.line, 1),
    )


def names(text: str) -> set[str]:
    """Tables and columns that a migration takes away, to be looked for in the code of the running version."""
    return {one.names[-1] for one in operations(text) or () if one.call in TAKES + ("alter_column",) and one.names}


def operations(text: str) -> list[Operation] | None:
    """What `upgrade` does; None when it is no Alembic script."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    upgrade = next((one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "upgrade"), None)
    if upgrade is None:
        return None
    batches = {
        item.optional_vars.id: _strings(item.context_expr)[:1]
        for one in ast.walk(upgrade)
        if isinstance(one, ast.With)
        for item in one.items
        if isinstance(item.optional_vars, ast.Name) and isinstance(item.context_expr, ast.Call)
    }
    calls = [one for one in ast.walk(upgrade) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
    found = []
    for call in calls:
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        name = receiver.id if isinstance(receiver, ast.Name) else ""
        if name == "op" or name in batches:
            found.append(_operation(call, batches.get(name, ())))
    return [one for one in found if one is not None]


def _operations(migration: Migration) -> list[Operation] | None:
    return operations(migration.text) if migration.path.endswith(".py") else None


def _operation(call: ast.Call, prefix: tuple[str, ...]) -> Operation | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    given = (*prefix, *_strings(call))
    keywords = {one.arg: one.value for one in call.keywords}
    if name in ADDS:
        return Operation(call.lineno, name, given[:1], "")
    if name == "add_column":
        return _added(call, given)
    if name in TAKES:
        harm = "takes away what it may use" if name != "rename_table" else "renames what it may use"
        return Operation(call.lineno, name, given[:2] if name == "drop_column" else given[:1], harm)
    if name == "alter_column":
        if "new_column_name" in keywords:
            return Operation(call.lineno, name, given[:2], "renames what it may use")
        if _is_false(keywords.get("nullable")) and "server_default" not in keywords:
            return Operation(call.lineno, name, given[:2], "demands a value that it may not write")
        return Operation(call.lineno, name, given[:2], "changes the type of what it may use" if "type_" in keywords else "")
    if name == "execute":
        raw = RAW.search(" ".join(_strings(call)))
        return Operation(call.lineno, name, (raw[1],) if raw else (), "may take away what it uses" if raw else "")
    return None


def _added(call: ast.Call, given: tuple[str, ...]) -> Operation:
    """A column that must have a value and has no default: every insert of the old version fails."""
    column = next((one for one in call.args if isinstance(one, ast.Call)), None)
    keywords = {one.arg: one.value for one in column.keywords} if column else {}
    named = (*given[:1], *(_strings(column)[:1] if column else ()))
    if _is_false(keywords.get("nullable")) and not {"server_default"} & keywords.keys():
        return Operation(call.lineno, "add_column", named, "makes its inserts fail (NOT NULL without a default)", is_certain=True)
    return Operation(call.lineno, "add_column", named, "")


def _strings(call: ast.expr | None) -> tuple[str, ...]:
    """The plain texts among the arguments of a call, those in `sa.text(...)` too."""
    if not isinstance(call, ast.Call):
        return ()
    found: list[str] = []
    for one in call.args:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            found.append(one.value)
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "text":
            found += _strings(one)
    return tuple(found)


def _is_false(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


CHECK = Check(id="migrations", title="the running version survives the migrations", rules=(_running_version_survives,))
