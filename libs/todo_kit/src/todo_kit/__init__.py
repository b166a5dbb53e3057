"""The library that every Python service of the application imports; it holds no business rule.

Modules at this level need only the base dependencies. Two parts need an extra, which a service names in its
`pyproject.toml`: `todo_kit.data` (PostgreSQL, migrations, outbox) needs `data`, and `todo_kit.dapr_publisher`
needs `dapr`. No module outside of those two imports SQLAlchemy, psycopg, Alembic or the Dapr SDK, so a
service without the extra does not carry them. The kit imports no service.

Start reading at `app.create_service` (every service) and `data.app.create_data_service` (services with a
database).
"""
