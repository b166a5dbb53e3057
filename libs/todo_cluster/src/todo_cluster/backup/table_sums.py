"""Says what a database holds: for each table the number of its rows and a sum of their contents.

Two databases with equal sums hold the same rows, whatever their order. Sums are made in the database.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

TABLES = """
select n.nspname::text, c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1, 2
"""
SCHEMAS = """
select nspname::text from pg_namespace
where nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg\\_%' order by 1
"""
# 60 bits of a digest of each row; their sum does not depend on the order of the rows.
SUM = """
select count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text from {} t
"""
SAME_TEXTS = "set local timezone to 'UTC'; set local datestyle to 'ISO'; set local extra_float_digits to 3"


@dataclass(frozen=True, slots=True)
class TableSum:
    """The rows of one table: how many, and the sum of their contents."""

    rows: int
    content: str


def read_table_sums(connection: "psycopg.Connection[tuple[object, ...]]") -> dict[str, TableSum]:
    """Returns the sum of each table by `schema.table`; reads all of them in the connection's transaction."""
    connection.execute(SAME_TEXTS)
    sums = {}
    for schema, table in connection.execute(TABLES).fetchall():
        query = sql.SQL(SUM).format(sql.Identifier(str(schema), str(table)))
        row = connection.execute(query).fetchone() or (0, "0")
        sums[f"{schema}.{table}"] = TableSum(int(str(row[0])), str(row[1]))
    return sums


def read_schemas(connection: "psycopg.Connection[tuple[object, ...]]") -> tuple[str, ...]:
    """Returns the schemas that are not PostgreSQL's own."""
    return tuple(str(row[0]) for row in connection.execute(SCHEMAS).fetchall())
