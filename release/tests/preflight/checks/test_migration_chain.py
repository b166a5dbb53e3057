"""Whether Alembic can order the revisions, told from the files alone."""

import pytest

from todo_release.core.yaml_positions import Place
from todo_release.preflight.checks.migration_chain import parse_revision, revisions_are_a_chain
from todo_release.preflight.finding import Finding

from ..snapshots import make_snapshot

FOLDER = "api/migrations/versions"


def script(revision: str, parent: str | None, *lines: str) -> str:
    """Returns an Alembic script; its down_revision stands in line 4."""
    more = "".join(f"{line}\n" for line in lines)
    return f'"""A migration."""\n\nrevision = "{revision}"\ndown_revision = {parent!r}\n{more}'


def findings(**scripts: str) -> list[Finding]:
    """Returns what is found in scripts of one folder, by their names without suffix."""
    texts = {f"{FOLDER}/{name}.py": text for name, text in scripts.items()}
    return list(revisions_are_a_chain(make_snapshot(migration_scripts=texts)))


def test_chain_is_no_finding() -> None:
    """Each revision follows the one before; a parent may be written by its beginning."""
    assert findings(a=script("0001", None), b=script("0002ab", "0001"), c=script("0003", "0002")) == []


def test_id_that_begins_like_another_one_is_not_taken_for_it() -> None:
    """A parent that exists in full means exactly that one."""
    assert findings(a=script("1", None), b=script("10", "1"), c=script("11", "10")) == []


def test_unknown_parent_is_an_error_with_file_and_line() -> None:
    """Alembic would refuse to run anything."""
    (finding,) = findings(a=script("0001", None), b=script("0002", "00001"))
    assert (finding.severity.value, finding.place) == ("error", Place(f"{FOLDER}/b.py", 4, 1))
    assert finding.cause.startswith("The revision 0002 follows 00001, which no script defines")
    assert "what nothing follows yet is 0001" in finding.remedy


def test_two_heads_are_an_error() -> None:
    """Two branches of git each added a revision."""
    (finding,) = findings(a=script("0001", None), b=script("0002", "0001"), c=script("0003", "0001"))
    assert (finding.severity.value, finding.subject) == ("error", f"{FOLDER}/c.py")
    assert "has 2 last revisions, 0002 (b.py) and 0003 (c.py)" in finding.cause


def test_merged_heads_are_no_finding() -> None:
    """A merge has a tuple of parents."""
    merge = script("0004", None).replace("None", '("0002", "0003")')
    assert findings(a=script("0001", None), b=script("0002", "0001"), c=script("0003", "0001"), d=merge) == []


def test_labelled_branches_are_only_a_warning() -> None:
    """They are upgraded by their names."""
    labelled = script("0002", None, 'branch_labels = ("reports",)')
    assert [finding.severity.value for finding in findings(a=script("0001", None), b=labelled)] == ["warning"]


def test_same_id_twice_and_a_circle_are_errors() -> None:
    """Both keep Alembic from running."""
    (twice,) = findings(a=script("0001", None), b=script("0001", None))
    assert "is also that of api/migrations/versions/a.py" in twice.cause
    (circle,) = findings(a=script("0001", "0002"), b=script("0002", "0001"))
    assert "in a circle" in circle.cause


def test_missing_dependency_is_an_error() -> None:
    """A revision may need one of another branch."""
    (finding,) = findings(a=script("0001", None, 'depends_on = "beef"'))
    assert "follows beef" in finding.cause


def test_services_have_chains_of_their_own() -> None:
    """Two services both begin with 0001; folders below `versions` belong to one chain."""
    texts = {
        "api/migrations/versions/2025/0001.py": script("0001", None),
        "api/migrations/versions/2026/0002.py": script("0002", "0001"),
        "web/versions/0001.py": script("0001", None),
        "web/versions/0002.sql": "select 1",
    }
    assert list(revisions_are_a_chain(make_snapshot(migration_scripts=texts))) == []


@pytest.mark.parametrize("text", ["x = 1\n", "def (", "revision = make()\ndown_revision = None\n", ""])
def test_other_files_are_no_revisions(text: str) -> None:
    """An `__init__.py` and a script of another tool are left out."""
    assert parse_revision("versions/a.py", text) is None


def test_annotated_assignments_are_read() -> None:
    """Alembic's template of today writes them with types."""
    text = 'revision: str = "b"\ndown_revision: Union[str, None] = "a"\ndepends_on: str | None = None\n'
    revision = parse_revision("versions/b.py", text)
    assert revision is not None
    assert (revision.id, revision.parents, revision.dependencies) == ("b", ("a",), ())
