"""Backups and restores with a real PostgreSQL server, a real API server, a folder and an S3 server."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pyrage
import pytest
import urllib3
from moto.server import ThreadedMotoServer
from psycopg import sql

from todo_cluster.backup import run
from todo_cluster.backup.run import RestoreRequest
from todo_cluster.errors import BackupError
from todo_embedded.ports import free_port
from todo_embedded.postgres import PostgresServer

from ..sample_application import SampleApplication

SCHEMA = """
drop schema if exists todo cascade;
create schema todo;
create type todo.state as enum ('open', 'done');
create table todo.tasks (
  id serial primary key, title text not null, state todo.state, at timestamptz default now()
);
create table public.users (email text primary key, score double precision);
insert into todo.tasks (title, state) select 'task ' || n, 'open' from generate_series(1, 500) n;
insert into public.users values ('ana@example.com', 0.1), ('ben@example.com', 1e-9);
"""
Restore = Callable[..., int]


@pytest.fixture
def source(postgres: PostgresServer) -> str:
    """The URL of a database with two schemas, an enumeration and a sequence."""
    url = postgres.create_database("source")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists public.users")
        connection.execute(SCHEMA)
    return url


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty database, which is dropped afterwards."""
    url = postgres.create_database("empty")
    yield url
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier("empty")))


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """The file of a private age key whose public key is in cluster.yaml, as `age-keygen` writes it."""
    key = pyrage.x25519.Identity.generate()
    path = tmp_path / "age.key"
    path.write_text(f"# created: today\n{key}\n")
    cluster_yaml = tmp_path / "cluster.yaml"
    cluster_yaml.write_text(
        "provider: existing\ncontext: rehearsal\n"
        f"backup: {{target: backups, recipients: [{key.to_public()}], secret: app}}\n"
    )
    return path


@pytest.fixture
def saved(deployed: SampleApplication, source: str, identity: Path) -> SampleApplication:
    """The application with a Secret that names the database, and one complete backup in a folder."""
    put_secret(deployed, FRONTEND_DATABASE_URL=source, OTHER="value")
    assert run.backup(deployed.root, deployed.options, "staging", target="") == 0
    return deployed


@pytest.fixture
def restore(saved: SampleApplication, identity: Path) -> Restore:
    """Returns a function that restores the latest backup into a URL."""

    def call(url: str, *, overwrites: bool = False, has_secrets: bool = False, key: Path = identity) -> int:
        request = RestoreRequest(
            name="latest",
            identity=key,
            has_database=bool(url),
            has_secrets=has_secrets,
            overwrites=overwrites,
        )
        options = replace(saved.options, environ={run.URL_VARIABLE: url})
        return run.restore(saved.root, options, "staging", request, target="")

    return call


def put_secret(sample: SampleApplication, name: str = "app", kind: str = "Opaque", **values: str) -> None:
    """Writes a Secret of the namespace as kubectl would."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
    sample.environment().cluster.apply(body, sample.namespaces[0], manager="kubectl")


def count(url: str) -> int:
    """Returns how many tasks a database has."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from todo.tasks").fetchone()
    return row[0] if row else -1


def test_backup_is_restored_into_an_empty_database_and_compared(
    restore: Restore, source: str, empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows, schemas and sequences are back: the next task gets the next number."""
    capsys.readouterr()
    assert restore(empty) == 0
    assert "todo.tasks    500   equal" in "".join(capsys.readouterr())
    with psycopg.connect(empty) as connection:
        row = connection.execute("insert into todo.tasks (title) values ('next') returning id").fetchone()
    assert row == (501,)


def test_backup_contains_no_clear_text(saved: SampleApplication, source: str) -> None:
    """Neither rows nor values of Secrets can be read without the private key."""
    files = [path for path in (saved.root / "backups").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"database.dump.age", "secrets.json.age", "manifest.json"}
    content = b"".join(path.read_bytes() for path in files)
    assert b"ana@example.com" not in content
    assert source.encode() not in content
    assert b"sample-staging/app" in content


def test_backups_are_listed_with_what_they_hold(
    saved: SampleApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two tables with 502 rows in all."""
    capsys.readouterr()
    assert run.list_backups(saved.root, saved.options, "staging", target="") == 0
    [row] = "".join(capsys.readouterr()).splitlines()[2:]
    assert row.split()[1:3] == ["2", "502"]


def test_database_that_is_not_empty_is_refused(
    restore: Restore, postgres: PostgresServer, empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it is changed."""
    with psycopg.connect(empty) as connection:
        connection.execute("create table precious (id int)")
    assert restore(empty) == BackupError.exit_code
    assert "is not empty: it has 1 tables, such as public.precious" in "".join(capsys.readouterr())


def test_overwrite_replaces_all_of_a_database(restore: Restore, source: str) -> None:
    """What was added since is gone, also tables that the backup does not know."""
    with psycopg.connect(source) as connection:
        connection.execute("delete from todo.tasks where id > 10")
        connection.execute("create schema newer")
        connection.execute("create table newer.things (id int references todo.tasks)")
    assert restore(source, overwrites=True) == 0
    assert count(source) == 500
    with psycopg.connect(source) as connection:
        assert connection.execute("select from pg_namespace where nspname = 'newer'").fetchone() is None


def test_overwrite_that_fails_leaves_the_database_as_it_was(
    restore: Restore, source: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that holds a table ends the restore after the lock's time-out; nothing is deleted."""
    monkeypatch.setattr("todo_cluster.backup.postgres_tools.LOCK_SECONDS", 1)
    with psycopg.connect(source) as connection:
        connection.execute("delete from todo.tasks where id > 10")
        connection.commit()
        connection.execute("lock table todo.tasks in access share mode")
        assert restore(source, overwrites=True) == BackupError.exit_code
    assert "lock timeout" in "".join(capsys.readouterr())
    assert count(source) == 10


def test_damaged_file_and_wrong_key_are_refused(
    restore: Restore, saved: SampleApplication, empty: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The digest tells damage, age tells the wrong key; the database stays empty."""
    other = tmp_path / "other.key"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    assert restore(empty, key=other) == BackupError.exit_code
    assert "cannot be opened" in "".join(capsys.readouterr())
    [dump] = (saved.root / "backups").rglob("database.dump.age")
    dump.write_bytes(dump.read_bytes()[:-1] + b"x")
    assert restore(empty) == BackupError.exit_code
    assert "digest differs" in "".join(capsys.readouterr())


def test_backup_without_manifest_is_not_offered(
    restore: Restore, saved: SampleApplication, empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that was cut off left one."""
    [manifest] = (saved.root / "backups").rglob("manifest.json")
    manifest.unlink()
    assert restore(empty) == BackupError.exit_code
    assert "no complete backup 'latest'" in "".join(capsys.readouterr())


def test_secrets_come_back_after_their_namespace_was_lost(
    restore: Restore, saved: SampleApplication, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Helm's records and issued certificates are not saved: others make them again."""
    environment = saved.environment()
    environment.cluster.patch(
        f"api/v1/namespaces/{saved.namespaces[0]}/secrets/app", {"data": {"OTHER": None}}, manager="kubectl"
    )
    assert restore("", has_secrets=True) == BackupError.exit_code
    assert "sample-staging/app" in "".join(capsys.readouterr())
    assert restore("", has_secrets=True, overwrites=True) == 0
    secret = environment.read_secret("app")
    assert secret is not None
    assert base64.b64decode(secret["data"]["OTHER"]) == b"value"


def test_only_secrets_that_nothing_else_makes_are_saved(
    deployed: SampleApplication, source: str, identity: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record of Helm would only take the place of the new cluster's own."""
    put_secret(deployed, FRONTEND_DATABASE_URL=source)
    put_secret(deployed, "sh.helm.release.v1.sample.v1", "helm.sh/release.v1", release="x")
    assert run.backup(deployed.root, deployed.options, "staging", target="") == 0
    assert "Secrets: sample-staging/app\n" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("url", "expected"),
    [("", "has no FRONTEND_DATABASE_URL"), ("postgresql://r:p@ep-1-pooler.neon.test/d", "pooled address")],
)
def test_database_that_cannot_be_dumped_is_refused(
    deployed: SampleApplication, identity: Path, capsys: pytest.CaptureFixture[str], url: str, expected: str
) -> None:
    """Before anything is saved."""
    put_secret(deployed, FRONTEND_DATABASE_URL=url)
    assert run.backup(deployed.root, deployed.options, "staging", target="") == BackupError.exit_code
    assert expected in "".join(capsys.readouterr())
    assert not list((deployed.root / "backups").rglob("*.json"))


def test_backup_without_a_key_is_refused(
    deployed: SampleApplication, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An open dump of people's tasks must never be written."""
    put_secret(deployed, FRONTEND_DATABASE_URL=source)
    (deployed.root / "cluster.yaml").write_text(
        "provider: existing\ncontext: rehearsal\nbackup: {target: backups, secret: app}\n"
    )
    assert run.backup(deployed.root, deployed.options, "staging", target="") == BackupError.exit_code
    assert "must be encrypted" in "".join(capsys.readouterr())
    assert not [path for path in (deployed.root / "backups").rglob("*") if path.is_file()]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of an S3 server with a bucket `backups`."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    urllib3.request("PUT", f"{endpoint}/backups")
    yield endpoint
    server.stop()


def test_backup_goes_to_a_bucket_and_comes_back(
    deployed: SampleApplication, source: str, identity: Path, empty: str, bucket: str
) -> None:
    """A service other than AWS is named by its endpoint."""
    put_secret(deployed, FRONTEND_DATABASE_URL=source)
    cluster_yaml = deployed.root / "cluster.yaml"
    cluster_yaml.write_text(cluster_yaml.read_text().replace("target: backups", f'endpoint: "{bucket}"'))
    target = "s3://backups/drills"
    assert run.backup(deployed.root, deployed.options, "staging", target=target) == 0
    request = RestoreRequest(
        name="latest", identity=identity, has_database=True, has_secrets=False, overwrites=False
    )
    options = replace(deployed.options, environ={run.URL_VARIABLE: empty})
    assert run.restore(deployed.root, options, "staging", request, target=target) == 0
    assert count(empty) == 500
