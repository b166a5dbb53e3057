"""`inv backup` and `inv restore`: the database of an environment, and the Secrets that Git does not have.

`postgres_tools` runs PostgreSQL's own programs, `table_sums` says what a database holds, `archive` keeps
encrypted files in a folder or bucket, `saved_secrets` exports and imports Secrets, `run` joins them.
"""
