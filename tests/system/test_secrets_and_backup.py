"""The commands for Secrets and backups, with our own chart on the real cluster, database and broker."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pyrage
import pytest
import yaml
from kubernetes import client, config
from psycopg import sql

from .running_cluster import RunningCluster

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "secrets-and-backup"
TASKS = 1000
TABLES = """
create schema todo;
create table todo.tasks (id bigserial primary key, title text not null, at timestamptz default now());
insert into todo.tasks (title) select 'task ' || n from generate_series(1, 1000) n;
"""
Inv = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def database(cluster: RunningCluster) -> Iterator[str]:
    """The URL of a database with a thousand tasks, which is dropped afterwards."""
    admin = cluster.env["DATABASE_URL"]
    name = sql.Identifier("secrets_and_backup")
    drop = sql.SQL("drop database if exists {} with (force)").format(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("create database {}").format(name))
    url = urlunsplit(urlsplit(admin)._replace(path="/secrets_and_backup"))
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
    yield url
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(drop)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the configuration, the keys and the backups."""
    return tmp_path_factory.mktemp("operator")


@pytest.fixture(scope="module")
def inv(cluster: RunningCluster, core: client.CoreV1Api, folder: Path) -> Iterator[Inv]:
    """Returns a function that runs a command for staging, in a namespace that is deleted afterwards."""
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    _, current = config.list_kube_config_contexts(str(cluster.kubeconfig))
    staging = {
        "context": current["name"],
        "namespace": NAMESPACE,
        "set": {"pubsub.kafka.caCertFromSecret": True, "ingress.host": "secrets.test"},
    }
    registry = {"repository": f"{cluster.registry}/todo", "insecure": True}
    overlay = {"registry": registry, "environments": {"staging": staging}}
    (folder / "release.yaml").write_text(yaml.safe_dump(overlay))
    key = pyrage.x25519.Identity.generate()
    (folder / "age.key").write_text(f"{key}\n")
    backup = {"target": str(folder / "backups"), "recipients": [str(key.to_public())], "secrets": []}
    (folder / "cluster.yaml").write_text(yaml.safe_dump({"backup": backup}))

    def run(command: str, *arguments: str, **variables: str) -> tuple[int, str]:
        words = [sys.executable, "-m", "invoke", command, "--env=staging", "--yes", *arguments]
        words += [f"--config={folder}/release.yaml", f"--cluster-config={folder}/cluster.yaml"]
        environment = {
            **os.environ,
            "KUBECONFIG": str(cluster.kubeconfig),
            "AGE_IDENTITY_FILE": str(folder / "age.key"),
            **variables,
        }
        ended = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    yield run
    core.delete_namespace(NAMESPACE)


@pytest.fixture(scope="module")
def values(cluster: RunningCluster, database: str) -> dict[str, str]:
    """Every value that the chart of staging needs and nobody generates."""
    return {
        "DATABASE_URL": database,
        "FRONTEND_DATABASE_URL": database,
        "REDPANDA_BROKERS": cluster.env["KAFKA_BROKERS"],
        "REDPANDA_USERNAME": cluster.env["KAFKA_USER"],
        "REDPANDA_PASSWORD": cluster.env["KAFKA_PASSWORD"],
        "REDPANDA_SASL_MECHANISM": "SHA-256",
        "REDPANDA_CA_CERT": Path(cluster.env["KAFKA_CA_FILE"]).read_text(encoding="utf-8"),
        "REGISTRY_USERNAME": "robot",
        "REGISTRY_TOKEN": "not-asked-for-by-this-registry",
    }


def write(folder: Path, values: dict[str, str]) -> str:
    """Writes a file of values that only its owner may read; returns the option that names it."""
    path = folder / "values.env"
    path.write_text("".join(f'{key}="{value}"\n' for key, value in values.items()))
    path.chmod(0o600)
    return f"--file={path}"


def count(url: str) -> int:
    """Returns how many tasks a database has."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from todo.tasks").fetchone()
    return row[0] if row else -1


def test_wrong_password_of_the_broker_is_found_before_anything_is_written(
    inv: Inv, folder: Path, values: dict[str, str], core: client.CoreV1Api
) -> None:
    """The broker itself refuses it, and Dapr's mechanism is part of the trial."""
    wrong = write(folder, {**values, "REDPANDA_PASSWORD": "n0t-the-password"})
    code, output = inv("secrets.set", wrong)
    assert code == 43, output
    assert "refuses the account" in output
    assert "n0t-the-password" not in output
    assert "app-secrets" not in {
        secret.metadata.name for secret in core.list_namespaced_secret(NAMESPACE).items
    }


def test_secrets_are_set_and_checked(inv: Inv, folder: Path, values: dict[str, str]) -> None:
    """Database, broker and registry accept what is written; no value is shown."""
    code, output = inv("secrets.set", write(folder, values))
    assert code == 0, output
    assert values["REDPANDA_PASSWORD"] not in output
    code, output = inv("secrets.check")
    assert code == 0, output
    assert "missing" not in output
    assert "invalid" not in output


def test_database_is_restored_from_its_backup(
    inv: Inv,
    folder: Path,
    values: dict[str, str],
    database: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Deleted rows come back; a database that is not empty is replaced only with the flag."""
    assert inv("secrets.set", write(folder, values))[0] == 0
    code, output = inv("backup")
    assert code == 0, output
    with psycopg.connect(database) as connection:
        connection.execute("delete from todo.tasks where id > 10")
    code, output = inv("restore")
    assert (code, count(database)) == (47, 10), output
    code, output = inv("restore", "--overwrite")
    assert (code, count(database)) == (0, TASKS), output
    record_property("rows restored", TASKS)


def test_secrets_are_restored_after_they_were_lost(
    inv: Inv, folder: Path, values: dict[str, str], core: client.CoreV1Api
) -> None:
    """They are as before: the check finds nothing."""
    assert inv("secrets.set", write(folder, values))[0] == 0
    assert inv("backup")[0] == 0
    for name in ("app-secrets", "ghcr-pull-secret"):
        core.delete_namespaced_secret(name, NAMESPACE)
    code, output = inv("restore", "--secrets", "--no-database")
    assert code == 0, output
    code, output = inv("secrets.check")
    assert code == 0, output
