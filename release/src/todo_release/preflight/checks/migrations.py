"""Checks that migrations can run, and that the running version can live with them while it serves.

Alembic scripts are parsed as Python: what `upgrade` drops or renames breaks the running version if that uses
it, what it adds does not (expand, release, contract). Scripts of other tools are only named.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from todo_release.core.yaml_positions import Place
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks.migration_chain import revisions_are_a_chain
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import Migration, PreflightSnapshot, UnreadError

# What a call does to a version that uses what it names; empty when it only adds.
EFFECTS = {
    **dict.fromkeys(("create_table", "create_index", "drop_index", "create_sequence"), ""),
    **dict.fromkeys(("drop_table", "drop_column"), "drops what it may use"),
    "rename_table": "renames what it may use",
}
HARMFUL_SQL = re.compile(
    r"\b(DROP\s+(?:TABLE|COLUMN)|RENAME\b|SET\s+NOT\s+NULL|ALTER\s+COLUMN\s+\S+\s+TYPE)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call in `upgrade`.

    `names` are the table and, if the call is about one, the column. `harm` says what the call does to a
    version that uses them, empty when nothing.
    """

    line: int
    call: str
    names: tuple[str, ...]
    harm: str
    is_certain: bool = False


def _running_version_survives(snapshot: PreflightSnapshot) -> Findings:
    if snapshot.migrations is None:
        raise UnreadError(f"the commit of the running version {snapshot.live.running} is not known here")
    operations_by_path = {
        migration.path: operations(migration.text) if migration.path.endswith(".py") else None
        for migration in snapshot.migrations
    }
    # No running version uses a table that another pending migration creates.
    new_tables = {
        operation.names[0]
        for pending in operations_by_path.values()
        for operation in pending or ()
        if operation.call == "create_table"
    }
    for migration in snapshot.migrations:
        known = operations_by_path[migration.path]
        harmful = [
            operation
            for operation in known or ()
            if operation.harm and not new_tables & set(operation.names[:1])
        ]
        for operation in harmful:
            yield _harm(migration, operation)
        if not harmful:
            effect = "it only adds" if known else "what it does was not recognised"
            yield note(
                migration.path,
                f"This migration runs before the new version starts; {effect}.",
                "A rollback of the release does not undo it.",
                place=Place(migration.path, 1, 1),
            )


def _harm(migration: Migration, operation: Operation) -> Finding:
    mention = migration.mentions.get(operation.names, "")
    names = ", ".join(operation.names)
    call = f"{operation.call}({names})" if names else operation.call
    use = f" The running version names it in {mention}." if mention else ""
    finding = error if operation.is_certain or mention else warning
    return finding(
        migration.path,
        f"{call} {operation.harm} while the running version still serves.{use}",
        "Expand first: release code that does without it, and drop it in a later release.",
        place=Place(migration.path, operation.line, 1),
    )


def affected_names(text: str) -> set[tuple[str, ...]]:
    """Returns the tables, or tables and columns, that a migration harms."""
    return {operation.names for operation in operations(text) or () if operation.harm and operation.names}


def operations(text: str) -> list[Operation] | None:
    """Returns what `upgrade` does; None when the text is no Alembic script."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    upgrade = next((function for function in functions if function.name == "upgrade"), None)
    if upgrade is None:
        return None
    tables_of_batches = _tables_of_batches(upgrade)
    recognised = []
    for node in ast.walk(upgrade):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        receiver = node.func.value
        name = receiver.id if isinstance(receiver, ast.Name) else ""
        if name == "op" or name in tables_of_batches:
            recognised.append(_operation(node, node.func.attr, tables_of_batches.get(name, ())))
    return [operation for operation in recognised if operation is not None]


def _tables_of_batches(upgrade: ast.FunctionDef) -> dict[str, tuple[str, ...]]:
    """Returns the table of each `with op.batch_alter_table(...) as name`, by name."""
    return {
        item.optional_vars.id: _strings(item.context_expr)[:1]
        for node in ast.walk(upgrade)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
    }


def _operation(call: ast.Call, name: str, table: tuple[str, ...]) -> Operation | None:
    """Returns what one call does; None when the call is not known."""
    arguments = (*table, *_strings(call))
    if name == "add_column":
        return _added_column(call, arguments)
    if name == "alter_column":
        return Operation(call.lineno, name, arguments[:2], _alteration_harm(call))
    if name == "execute":
        sql = HARMFUL_SQL.search(" ".join(_strings(call)))
        return Operation(call.lineno, sql[1] if sql else name, (), "may drop what it uses" if sql else "")
    if name in EFFECTS:
        count = 2 if name == "drop_column" else 1
        return Operation(call.lineno, name, arguments[:count], EFFECTS[name])
    return None


def _alteration_harm(call: ast.Call) -> str:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if "new_column_name" in keywords:
        return "renames what it may use"
    if _is_false(keywords.get("nullable")) and "server_default" not in keywords:
        return "requires a value that it may not write"
    return "changes the type of what it may use" if "type_" in keywords else ""


def _added_column(call: ast.Call, arguments: Sequence[str]) -> Operation:
    """Returns an added column; NOT NULL without a default makes every insert of the old version fail."""
    column = next((argument for argument in call.args if isinstance(argument, ast.Call)), None)
    keywords = {keyword.arg: keyword.value for keyword in column.keywords} if column else {}
    names = (*arguments[:1], *(_strings(column)[:1] if column else ()))
    if _is_false(keywords.get("nullable")) and "server_default" not in keywords:
        harm = "makes its inserts fail (NOT NULL without a default)"
        return Operation(call.lineno, "add_column", names, harm, is_certain=True)
    return Operation(call.lineno, "add_column", names, "")


def _strings(call: ast.expr | None) -> tuple[str, ...]:
    """Returns the string literals among the arguments of a call, those in `sa.text(...)` too."""
    if not isinstance(call, ast.Call):
        return ()
    strings: list[str] = []
    for argument in call.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            strings.append(argument.value)
        elif (
            isinstance(argument, ast.Call)
            and isinstance(argument.func, ast.Attribute)
            and argument.func.attr == "text"
        ):
            strings += _strings(argument)
    return tuple(strings)


def _is_false(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


CHECK = PreflightCheck(
    id="migrations",
    title="migrations can run, and the running version survives them",
    rules=(revisions_are_a_chain, _running_version_survives),
)
