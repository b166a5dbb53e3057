"""Whether the running version can live with the migrations of the next one."""

import pytest

from todo_release.preflight.checks.migrations import CHECK, affected_names, operations
from todo_release.preflight.snapshot import Migration, PreflightSnapshot

from ..snapshots import findings_of, make_snapshot, severities_of

HEAD = "import sqlalchemy as sa\nfrom alembic import op\n\n\ndef upgrade() -> None:\n"


def script(*lines: str) -> str:
    """Returns a migration with these lines in `upgrade`; the first is line 6."""
    return HEAD + "".join(f"    {line}\n" for line in lines)


def with_migrations(
    *scripts: str, mentions: dict[tuple[str, ...], str] | None = None, path: str = "m/{}.py"
) -> PreflightSnapshot:
    """Returns a snapshot of a release with these migrations."""
    pending = [
        Migration(path=path.format(number), text=text, mentions=mentions or {})
        for number, text in enumerate(scripts)
    ]
    return make_snapshot(migrations=pending)


@pytest.mark.parametrize(
    "line",
    [
        'op.create_table("tags", sa.Column("id", sa.Uuid, nullable=False))',
        'op.add_column("tasks", sa.Column("note", sa.Text))',
        'op.add_column("tasks", sa.Column("done", sa.Boolean, nullable=False, server_default=sa.false()))',
        'op.create_index("ix", "tasks", ["id"])',
        'op.alter_column("tasks", "title", comment="x")',
        'op.execute("UPDATE tasks SET note = NULL")',
    ],
)
def test_migration_that_only_adds_is_a_note(line: str) -> None:
    """The running version does not use what a migration adds."""
    (finding,) = findings_of(CHECK, with_migrations(script(line)))
    assert (finding.severity.value, finding.cause) == (
        "note",
        "This migration runs before the new version starts; it only adds.",
    )


@pytest.mark.parametrize(
    ("line", "severity", "effect"),
    [
        (
            'op.drop_column("tasks", "legacy")',
            "warning",
            "drop_column(tasks, legacy) drops what it may use",
        ),
        ('op.drop_table("tasks")', "warning", "drop_table(tasks) drops what it may use"),
        ('op.rename_table("tasks", "jobs")', "warning", "rename_table(tasks) renames what it may use"),
        (
            'op.alter_column("tasks", "title", new_column_name="name")',
            "warning",
            "alter_column(tasks, title) renames what it may use",
        ),
        (
            'op.alter_column("tasks", "title", nullable=False)',
            "warning",
            "alter_column(tasks, title) requires a value that it may not write",
        ),
        (
            'op.alter_column("tasks", "title", type_=sa.Integer)',
            "warning",
            "alter_column(tasks, title) changes the type of what it may use",
        ),
        (
            'op.add_column("tasks", sa.Column("done", sa.Boolean, nullable=False))',
            "error",
            "add_column(tasks, done) makes its inserts fail (NOT NULL without a default)",
        ),
        ('op.execute("ALTER TABLE t DROP COLUMN c")', "warning", "DROP COLUMN may drop what it uses"),
        ('op.execute(sa.text("ALTER TABLE t RENAME TO u"))', "warning", "RENAME may drop what it uses"),
    ],
)
def test_harmful_migration_is_a_finding_at_its_line(line: str, severity: str, effect: str) -> None:
    """Each harmful operation is a finding with its line and its effect."""
    (finding,) = findings_of(CHECK, with_migrations(script("pass", line)))
    assert (finding.severity.value, finding.cause) == (
        severity,
        f"{effect} while the running version still serves.",
    )
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("m/0.py", 7)


def test_dropped_column_that_the_running_version_names_is_an_error() -> None:
    """A name in the running version's code makes the harm certain."""
    pending = with_migrations(
        script('op.drop_column("tasks", "legacy")'), mentions={("tasks", "legacy"): "api/models.py:12"}
    )
    (finding,) = findings_of(CHECK, pending)
    assert finding.severity.value == "error"
    assert finding.cause.endswith("The running version names it in api/models.py:12.")


def test_changes_of_a_new_table_are_harmless() -> None:
    """No running version uses a table that the same release creates."""
    creating = script('op.create_table("tags")')
    dropping = script('op.drop_column("tags", "x")')
    assert {
        finding.severity.value for finding in findings_of(CHECK, with_migrations(creating, dropping))
    } == {"note"}


def test_batch_operations_belong_to_their_table() -> None:
    """Operations in `batch_alter_table` name only the column."""
    text = script('with op.batch_alter_table("tasks") as batch:', '    batch.drop_column("legacy")')
    assert affected_names(text) == {("tasks", "legacy")}


def test_downgrade_and_other_code_do_not_count() -> None:
    """Only Alembic operations in `upgrade` count."""
    text = (
        script("bind = op.get_bind()", 'other.drop_table("x")', 'print("x")')
        + "\n\ndef downgrade():\n    op.drop_table('x')\n"
    )
    assert operations(text) == []
    (finding,) = findings_of(CHECK, with_migrations(text))
    assert finding.cause.endswith("what it does was not recognised.")


@pytest.mark.parametrize(
    ("text", "path"), [("no python", "m/{}.py"), ("x = 1\n", "m/{}.py"), ("drop", "m/{}.ts")]
)
def test_script_that_cannot_be_parsed_is_a_note(text: str, path: str) -> None:
    """What an unknown script does is not guessed."""
    assert severities_of(CHECK, with_migrations(text, path=path)) == ["note"]


def test_unknown_running_version_is_a_note() -> None:
    """A running version without a tag in this repository leads to a note."""
    (finding,) = findings_of(CHECK, make_snapshot(migrations=None, live={"running": "0.9.9"}))
    assert (
        finding.cause
        == "Not everything could be checked: the commit of the running version 0.9.9 is not known here."
    )
