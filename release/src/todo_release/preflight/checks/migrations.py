"""Migrations that this release runs while the old version still serves: whether that version can live with
them.

Alembic's scripts are read as Python: what `upgrade` takes away or renames breaks the running version if that
uses it, what it adds does not (expand, release, contract). Anything else is only named.
"""

import ast
import re
from dataclasses import dataclass

from todo_release.core.yaml_positions import Place
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import Migration, PreflightSnapshot, UnreadError

# What a call does to a version that uses what it names; nothing when it only adds.
HARMS = {
    **dict.fromkeys(("create_table", "create_index", "drop_index", "create_sequence"), ""),
    **dict.fromkeys(("drop_table", "drop_column"), "takes away what it may use"),
    "rename_table": "renames what it may use",
}
RAW = re.compile(
    r"\b(DROP\s+(?:TABLE|COLUMN)|RENAME\b|SET\s+NOT\s+NULL|ALTER\s+COLUMN\s+\S+\s+TYPE)", re.IGNORECASE
)


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


def _running_version_survives(snapshot: PreflightSnapshot) -> Findings:
    if snapshot.migrations is None:
        raise UnreadError(f"the commit of {snapshot.live.running}, which runs, is not known here")
    found = {
        one.path: operations(one.text) if one.path.endswith(".py") else None for one in snapshot.migrations
    }
    # What another pending migration makes, no running version uses.
    made = {one.names[0] for each in found.values() for one in each or () if one.call == "create_table"}
    for migration in snapshot.migrations:
        known = found[migration.path]
        harmful = [one for one in known or () if one.harm and not made & set(one.names[:1])]
        for one in harmful:
            yield _harm(migration, one)
        if not harmful:
            does = "it only adds" if known else "what it does was not recognised"
            yield note(
                migration.path,
                f"This migration runs before the new version starts; {does}.",
                "A rollback of the release does not take it back.",
                place=Place(migration.path, 1, 1),
            )


def _harm(migration: Migration, one: Operation) -> Finding:
    mention = migration.mentions.get(one.names, "")
    names_of = ", ".join(one.names)
    uses = f" The running version names it in {mention}." if mention else ""
    say = error if one.is_certain or mention else warning
    return say(
        migration.path,
        f"{one.call}{f'({names_of})' if names_of else ''} {one.harm} while the running version still"
        f" serves.{uses}",
        "Expand first: release code that does without, and take it away in a later release.",
        place=Place(migration.path, one.line, 1),
    )


def names(text: str) -> set[tuple[str, ...]]:
    """Tables, or tables and columns, that a migration harms: to be looked for in the code of the running
    version.
    """
    return {one.names for one in operations(text) or () if one.harm and one.names}


def operations(text: str) -> list[Operation] | None:
    """What `upgrade` does; None when it is no Alembic script."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    upgrade = next(
        (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "upgrade"), None
    )
    if upgrade is None:
        return None
    batches = {
        item.optional_vars.id: _strings(item.context_expr)[:1]
        for one in ast.walk(upgrade)
        if isinstance(one, ast.With)
        for item in one.items
        if isinstance(item.optional_vars, ast.Name)
    }
    calls = [
        one for one in ast.walk(upgrade) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
    ]
    found = []
    for call in calls:
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        name = receiver.id if isinstance(receiver, ast.Name) else ""
        if name == "op" or name in batches:
            found.append(_operation(call, batches.get(name, ())))
    return [one for one in found if one is not None]


def _operation(call: ast.Call, prefix: tuple[str, ...]) -> Operation | None:
    """What one call does; None when it is not one that is known."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    given = (*prefix, *_strings(call))
    if name == "add_column":
        return _added(call, given)
    if name == "alter_column":
        return Operation(call.lineno, name, given[:2], _alteration(call))
    if name == "execute":
        raw = RAW.search(" ".join(_strings(call)))
        return Operation(
            call.lineno, raw[1] if raw else name, (), "may take away what it uses" if raw else ""
        )
    if name in HARMS:
        return Operation(call.lineno, name, given[: 2 if name == "drop_column" else 1], HARMS[name])
    return None


def _alteration(call: ast.Call) -> str:
    keywords = {one.arg: one.value for one in call.keywords}
    if "new_column_name" in keywords:
        return "renames what it may use"
    if _is_false(keywords.get("nullable")) and "server_default" not in keywords:
        return "demands a value that it may not write"
    return "changes the type of what it may use" if "type_" in keywords else ""


def _added(call: ast.Call, given: tuple[str, ...]) -> Operation:
    """A column that must have a value and has no default: every insert of the old version fails."""
    column = next((one for one in call.args if isinstance(one, ast.Call)), None)
    keywords = {one.arg: one.value for one in column.keywords} if column else {}
    named = (*given[:1], *(_strings(column)[:1] if column else ()))
    if _is_false(keywords.get("nullable")) and not {"server_default"} & keywords.keys():
        return Operation(
            call.lineno,
            "add_column",
            named,
            "makes its inserts fail (NOT NULL without a default)",
            is_certain=True,
        )
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


CHECK = Check(
    id="migrations", title="the running version survives the migrations", rules=(_running_version_survives,)
)
