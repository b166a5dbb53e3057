"""Checks of values against a real PostgreSQL server and a registry that wants a login."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from todo_cluster.database import DatabaseDescription
from todo_cluster.secrets.live_checks import check_databases, check_pull_secret
from todo_cluster.secrets.value_sources import with_pull_secret
from todo_cluster.secrets.wanted import DOCKER_CONFIG
from todo_embedded.ports import free_port
from todo_embedded.postgres import PostgresServer
from todo_release.config.model import RegistrySettings


def test_databases_with_right_role_have_no_problem(postgres: PostgresServer) -> None:
    """Both URLs lead to one database, in which the role may create tables."""
    url = postgres.create_database("fine")
    assert list(check_databases({"DATABASE_URL": url, "FRONTEND_DATABASE_URL": url})) == []


def test_wrong_password_is_a_problem_that_does_not_show_it(postgres: PostgresServer) -> None:
    """The text has the server's reason and its address."""
    url = postgres.url.replace(postgres.password, "wrong-Pa55word")
    [problem] = check_databases({"DATABASE_URL": url})
    assert "password authentication failed" in problem.text
    assert f"127.0.0.1:{postgres.port}/postgres" in problem.text
    assert "wrong-Pa55word" not in f"{problem}"


@pytest.mark.parametrize(
    "url", ["mysql://root:s3cret@db/todo", "host=db password=s3cret", "postgresql://", "postgresql://%zz@h/d"]
)
def test_what_is_no_url_of_postgresql_is_a_problem(url: str) -> None:
    """Also where libpq would take it: Dapr and Better Auth would not."""
    [problem] = check_databases({"DATABASE_URL": url})
    assert "not a URL of PostgreSQL" in problem.text
    assert "s3cret" not in f"{problem}"


def test_server_that_does_not_answer_is_a_problem() -> None:
    """Nothing listens there."""
    [problem] = check_databases({"DATABASE_URL": f"postgresql://a:s3cret@127.0.0.1:{free_port()}/todo"})
    assert "Connection refused" in problem.text
    assert "s3cret" not in f"{problem}"


def test_role_that_may_not_create_tables_is_a_problem(postgres: PostgresServer) -> None:
    """Its migrations would fail in the next release."""
    admin = postgres.create_database("narrow")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login password 'reader'")
    url = admin.replace(f"postgres:{postgres.password}", "reader:reader")
    [problem] = check_databases({"DATABASE_URL": url})
    assert "may not create tables in narrow" in problem.text


def test_two_databases_are_a_problem(postgres: PostgresServer) -> None:
    """Frontend and backend must share one: tokens of one name users of the other."""
    urls = {
        "DATABASE_URL": postgres.create_database("one"),
        "FRONTEND_DATABASE_URL": postgres.create_database("two"),
    }
    [problem] = check_databases(urls)
    assert "two databases" in problem.text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"server_version": 130010}, "PostgreSQL 13"),
        ({"is_replica": True}, "replica"),
        ({}, "pooled address"),
    ],
)
def test_unsuitable_server_is_a_problem(change: dict[str, Any], expected: str) -> None:
    """Servers that the tests do not have are described by a stand-in."""
    found = {
        "server_version": 180000,
        "name": "d",
        "oid": 1,
        "role": "r",
        "is_replica": False,
        "may_create": True,
    }
    url = "postgresql://r:p@ep-1-pooler.neon.test/d" if not change else "postgresql://r:p@ep-1.neon.test/d"
    described = DatabaseDescription(**(found | change))
    [problem] = check_databases({"FRONTEND_DATABASE_URL": url}, lambda _: described)
    assert expected in problem.text


class _Registry(BaseHTTPRequestHandler):
    """Knows one image `web:1` and lets in only `robot` with the token `right`."""

    def do_HEAD(self) -> None:
        expected = base64.b64encode(b"robot:right").decode()
        if self.headers.get("authorization") != f"Basic {expected}":
            self.send_response(401)
            self.send_header("www-authenticate", 'Basic realm="registry"')
        elif self.path.endswith("/web/manifests/1"):
            self.send_response(200)
            self.send_header("docker-content-digest", "sha256:1")
        else:
            self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Drops the line."""


@pytest.fixture
def registry() -> Iterator[RegistrySettings]:
    """The settings of a registry that wants a login."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield RegistrySettings(repository=f"127.0.0.1:{server.server_port}/sample", insecure=True)
        server.shutdown()
        thread.join()


def _docker_config(registry: RegistrySettings, token: str) -> str:
    inputs = {"REGISTRY_USERNAME": "robot", "REGISTRY_TOKEN": token}
    return with_pull_secret(inputs, registry.host)[DOCKER_CONFIG]


@pytest.mark.parametrize("reference", ["1", "unreleased"])
def test_pull_secret_that_can_pull_has_no_problem(registry: RegistrySettings, reference: str) -> None:
    """An image that was not released yet says nothing against the account."""
    assert list(check_pull_secret(_docker_config(registry, "right"), registry, {"web": reference})) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no json", "not the JSON"), ("[]", "not the JSON"), ('{"auths": {}}', "no credentials for 127.0.0.1")],
)
def test_pull_secret_of_another_form_or_host_is_a_problem(
    registry: RegistrySettings, text: str, expected: str
) -> None:
    """Nothing is sent to the registry."""
    [problem] = check_pull_secret(text, registry, {"web": "1"})
    assert expected in problem.text


@pytest.mark.parametrize(("token", "expected"), [("wrong", "401"), ("ghs_abc", "expires with it")])
def test_pull_secret_with_wrong_token_is_a_problem(
    registry: RegistrySettings, token: str, expected: str
) -> None:
    """The token of a workflow would work until its job ends, so it is refused without asking."""
    [problem] = check_pull_secret(_docker_config(registry, token), registry, {"web": "1"})
    assert expected in problem.text
    assert token not in problem.text
