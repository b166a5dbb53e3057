"""What services with a database share: engine, migrations, outbox, and how such a service is put together.

Needs the extra `data` (SQLAlchemy, psycopg, Alembic); `data.app` needs `dapr` as well. Imports modules of
`todo_kit`, which never import this package. Start reading at `app.create_data_service`; `outbox` explains how
events leave a service.

`data.testing` and `data.fixtures` are for the tests of such services. The latter needs pytest and
`todo_embedded`.
"""
