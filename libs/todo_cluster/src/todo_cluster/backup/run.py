"""The commands `backup` and `restore`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from todo_cluster import database
from todo_cluster.application import ApplicationEnvironment, decoded
from todo_cluster.backup import saved_secrets
from todo_cluster.backup.archive import Archive, BackupManifest
from todo_cluster.backup.postgres_tools import PostgresTools, find_tools
from todo_cluster.backup.table_sums import TableSum, read_schemas, read_table_sums
from todo_cluster.command import ClusterCommand, ClusterOptions, run_command
from todo_cluster.errors import BackupError
from todo_embedded.postgres import postgres_server
from todo_release.core.tables import Table

DATABASE_FILE, SECRETS_FILE = "database.dump.age", "secrets.json.age"
URL_VARIABLE = "RESTORE_DATABASE_URL"
POOLED_HOST = "-pooler."  # Neon's pooled addresses have no session, which pg_dump needs


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """What is to be restored.

    Attributes:
        name: The backup, or `latest`.
        identity: File with the private age key.
        has_database: Restore the database.
        has_secrets: Restore the Secrets.
        overwrites: Replace a database that is not empty, and Secrets that differ.
    """

    name: str
    identity: Path
    has_database: bool
    has_secrets: bool
    overwrites: bool


def backup(root: Path, options: ClusterOptions, environment: str, *, target: str) -> int:
    """Saves the database and the Secrets of an environment, and restores the dump once to prove it."""

    def answer(command: ClusterCommand) -> int:
        settings, source = command.cluster.backup, _environment(command, environment)
        archive = Archive.open(settings, command.root, command.release.name, environment, target)
        url = _database_url(command, source)
        created_at = datetime.now(UTC)
        secrets = saved_secrets.export(source.cluster, source.namespace, settings.secrets)
        with _dumped(url) as dump:
            _prove(dump)
            files = [
                archive.save(created_at, DATABASE_FILE, dump.file.read_bytes(), settings.recipients),
                archive.save(created_at, SECRETS_FILE, saved_secrets.dump(secrets), settings.recipients),
            ]
            manifest = BackupManifest(
                application=command.release.name,
                environment=environment,
                created_at=created_at,
                server_version=dump.server_version,
                tool_major=dump.tools.major,
                tables=dict(dump.tables),
                secrets=saved_secrets.names_of(secrets),
                files=tuple(files),
            )
        archive.finish(manifest)
        rows = tuple((name, str(table.rows), "equal") for name, table in manifest.tables.items())
        command.reporter.show_table(
            Table("Restored once into an empty database", ("table", "rows", "contents"), rows)
        )
        command.reporter.show_text(f"Secrets: {', '.join(manifest.secrets) or 'none'}")
        command.reporter.show_text(f"Backup {manifest.name} of {environment} is complete in {archive.place}.")
        return 0

    return run_command(root, options, answer)


def restore(
    root: Path, options: ClusterOptions, environment: str, request: RestoreRequest, *, target: str
) -> int:
    """Restores a backup: Secrets first, then the database, whose contents are compared afterwards."""

    def answer(command: ClusterCommand) -> int:
        destination = _environment(command, environment)
        archive = Archive.open(
            command.cluster.backup, command.root, command.release.name, environment, target
        )
        manifest = archive.manifest(request.name)
        identities = _identities(request.identity)
        if request.has_secrets:
            _restore_secrets(command, destination, archive.load(manifest, SECRETS_FILE, identities), request)
        if request.has_database:
            url = options.environ.get(URL_VARIABLE) or _database_url(command, destination)
            content = archive.load(manifest, DATABASE_FILE, identities)
            _restore_database(command, url, content, manifest, request)
        return 0

    return run_command(root, options, answer)


def list_backups(root: Path, options: ClusterOptions, environment: str, *, target: str) -> int:
    """Shows the complete backups of an environment."""

    def answer(command: ClusterCommand) -> int:
        archive = Archive.open(
            command.cluster.backup, command.root, command.release.name, environment, target
        )
        rows = []
        for name in archive.names():
            manifest = archive.manifest(name)
            total = sum(table.rows for table in manifest.tables.values())
            size = sum(file.size for file in manifest.files)
            rows.append((name, str(len(manifest.tables)), str(total), f"{size / 1024:.0f} KiB"))
        columns = ("backup", "tables", "rows", "size")
        command.reporter.show_table(
            Table(f"Backups of {environment} in {archive.place}", columns, tuple(rows))
        )
        return 0

    return run_command(root, options, answer)


@dataclass(frozen=True, slots=True)
class _Dump:
    """A dump on this machine, and what the database held in the same transaction."""

    file: Path
    tables: Mapping[str, TableSum]
    server_version: int
    tools: PostgresTools


@contextmanager
def _dumped(url: str) -> Iterator[_Dump]:
    """Yields a dump of a database; the file is deleted afterwards."""
    description = database.describe(url)
    tools = find_tools(description.server_major)
    with TemporaryDirectory(prefix="backup-") as folder, database.connect(url) as connection:
        file = Path(folder, "database.dump")
        connection.execute("set transaction isolation level repeatable read, read only")
        row = connection.execute("select pg_export_snapshot()").fetchone() or ("",)
        tables = read_table_sums(connection)
        tools.dump(url, file, snapshot=str(row[0]))
        yield _Dump(file, tables, description.server_version, tools)


def _prove(dump: _Dump) -> None:
    """Restores a dump into a new server on this machine and compares all tables."""
    with postgres_server() as server:
        if dump.tools.major > database.describe(server.url).server_major:
            raise BackupError(
                f"The dump is of version {dump.tools.major}, newer than the server here that would prove it.",
                remedy="Renew the pinned PostgreSQL in libs/todo_embedded.",
            )
        url = server.create_database("proof")
        dump.tools.restore(url, dump.file)
        with database.connect(url) as connection:
            _compare(dump.tables, read_table_sums(connection))


def _compare(wanted: Mapping[str, TableSum], found: Mapping[str, TableSum]) -> None:
    different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if different:
        raise BackupError(
            f"After the restore these tables differ from the original: {', '.join(different)}.",
            remedy="Do not rely on this backup; make another one, and report it if it happens again.",
        )


def _restore_database(
    command: ClusterCommand, url: str, content: bytes, manifest: BackupManifest, request: RestoreRequest
) -> None:
    place = database.place_of(url)
    description = database.describe(url)
    tools = find_tools(max(description.server_major, manifest.tool_major))
    with database.connect(url) as connection:
        existing, schemas = read_table_sums(connection), read_schemas(connection)
    if existing and not request.overwrites:
        raise BackupError(
            f"{place} is not empty: it has {len(existing)} tables, such as {min(existing)}.",
            remedy=f"Restore into an empty database (its URL in {URL_VARIABLE}), or replace all of it with "
            "--overwrite.",
        )
    if existing:
        command.confirm(f"Replace all {len(existing)} tables in {place} by those of {manifest.name}?")
    with TemporaryDirectory(prefix="restore-") as folder:
        file = Path(folder, "database.dump")
        file.touch(mode=0o600)
        file.write_bytes(content)
        if existing:
            tools.replace(url, file, schemas)
        else:
            tools.restore(url, file)
    with database.connect(url) as connection:
        found = read_table_sums(connection)
    _compare(manifest.tables, found)
    rows = tuple((name, str(table.rows), "equal") for name, table in found.items())
    command.reporter.show_table(
        Table(f"Restored {manifest.name} into {place}", ("table", "rows", "contents"), rows)
    )


def _restore_secrets(
    command: ClusterCommand, destination: ApplicationEnvironment, content: bytes, request: RestoreRequest
) -> None:
    secrets = saved_secrets.load(content)
    different = saved_secrets.names_of(saved_secrets.find_different(destination.cluster, secrets))
    if different and not request.overwrites:
        raise BackupError(
            f"In the cluster these Secrets have other values: {', '.join(different)}.",
            remedy="Keep them (leave out --secrets), or replace them with --overwrite.",
        )
    if different:
        command.confirm(f"Overwrite the values of {', '.join(different)}?")
    saved_secrets.apply(destination.cluster, secrets)
    command.reporter.show_text(f"Restored Secrets: {', '.join(saved_secrets.names_of(secrets))}")


def _environment(command: ClusterCommand, name: str) -> ApplicationEnvironment:
    environment = ApplicationEnvironment(command.root, command.release, name)
    command.release.environment(name)
    return environment


def _database_url(command: ClusterCommand, environment: ApplicationEnvironment) -> str:
    settings = command.cluster.backup
    url = decoded(environment.read_secret(settings.secret)).get(settings.key, "")
    if not url:
        raise BackupError(
            f"Secret {settings.secret} in {environment.namespace} has no {settings.key}.",
            remedy=f"See `inv secrets.check --env {environment.name}`; after a disaster restore the Secrets "
            "first (--secrets).",
        )
    if POOLED_HOST in database.place_of(url):
        raise BackupError(
            f"{settings.key} is a pooled address, over which pg_dump does not work.",
            remedy="Put the direct address there, or name another key as backup.key.",
        )
    return url


def _identities(path: Path) -> list[str]:
    """Returns the private keys of a file of `age-keygen`."""
    if not path.is_file():
        raise BackupError(
            f"There is no file {path}.", remedy="Name the file of the private age key with --identity."
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
