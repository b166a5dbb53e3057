"""The kit's modules need no package of an extra, except for the two that say so."""

from pathlib import Path

import todo_kit
from todo_kit.testing import imported_packages, locked_packages

LOCK = Path(__file__).parents[3] / "uv.lock"
FOLDER = Path(todo_kit.__file__).parent
BASE_MODULES = [
    *(f"todo_kit.{path.stem}" for path in FOLDER.glob("[a-z]*.py") if path.stem != "dapr_publisher"),
    "todo_kit.testing",
]
OF_EXTRAS = {"alembic", "dapr", "grpc", "psycopg", "sqlalchemy"}


def test_base_modules_import_no_package_of_an_extra() -> None:
    """A service without an extra can import every module outside of `data` and `dapr_publisher`."""
    assert len(BASE_MODULES) > 10
    assert imported_packages(", ".join(sorted(BASE_MODULES))) & OF_EXTRAS == set()


def test_imported_packages_finds_indirect_imports() -> None:
    """The check above sees what a module imports through other modules."""
    assert imported_packages("todo_kit.data.app, todo_kit.data.migrations") >= OF_EXTRAS


def test_locked_packages_follow_extras_and_leave_out_test_groups() -> None:
    """An extra that a package asks for counts, with the extras of what it depends on."""
    needed = locked_packages(LOCK, "todo-backend")
    assert needed >= {"todo-kit", "sqlalchemy", "greenlet", "psycopg-binary", "alembic", "dapr", "grpcio"}
    assert needed & {"pytest", "todo-embedded"} == set()
    assert locked_packages(LOCK, "todo-kit") & {"sqlalchemy", "psycopg", "alembic", "dapr"} == set()
