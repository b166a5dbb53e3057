"""What the image of the service does not carry."""

from pathlib import Path

from todo_kit.testing import imported_packages, locked_packages

LOCK = Path(__file__).parents[3] / "uv.lock"


def test_service_depends_on_no_database_and_no_dapr_sdk() -> None:
    """The service has no database and publishes nothing, so its image carries no package for that."""
    packages = locked_packages(LOCK, "todo-sse-gateway")
    assert packages >= {"todo-kit", "fastapi"}
    assert packages & {"alembic", "dapr", "grpcio", "psycopg", "psycopg-binary", "sqlalchemy"} == set()


def test_service_imports_no_database_and_no_dapr_sdk() -> None:
    """Nothing that the service imports needs such a package."""
    imported = imported_packages("todo_sse_gateway.__main__")
    assert imported & {"alembic", "dapr", "grpc", "psycopg", "sqlalchemy"} == set()
