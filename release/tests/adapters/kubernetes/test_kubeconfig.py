"""Kubeconfig files: their contexts, and which credentials are read from them directly."""

import base64
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from todo_release.adapters.kubernetes.kubeconfig import Endpoint, contexts, endpoint, server
from todo_release.adapters.kubernetes.transport import (
    ApiUnreachableError,
    ClientConnection,
    DirectConnection,
    KubeconfigError,
    connect,
)
from todo_release.errors import ClusterError

from ...doubles.kubernetes_api import ApiDouble

SERVER = {"server": "http://there:1/"}


def write(path: Path, user: dict[str, Any], cluster: dict[str, Any] = SERVER, **more: Any) -> Path:
    """Writes a kubeconfig with one context, `here`."""
    document = {
        "clusters": [{"name": "double", "cluster": cluster}],
        "users": [{"name": "ana", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "double", "user": "ana"}}],
        **more,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def usable_endpoint(context: str | None, path: Path | None) -> Endpoint:
    """Returns the endpoint, which must exist."""
    read = endpoint(context, path)
    assert read is not None
    return read


def test_contexts_are_those_of_every_kubeconfig(api: ApiDouble, tmp_path: Path) -> None:
    """KUBECONFIG may name several files; a missing file has no contexts."""
    path = api.kubeconfig(tmp_path)
    assert contexts({"KUBECONFIG": f"{path}:{tmp_path / 'missing'}"}) == {"here"}


def test_contexts_refuse_a_file_that_is_not_a_kubeconfig(tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "config"
    path.write_text("contexts: [1]\n")
    with pytest.raises(ClusterError, match=f"{path} is not a kubeconfig"):
        contexts({"KUBECONFIG": str(path)})


def test_token_is_read_from_the_kubeconfig_or_a_file_beside_it(tmp_path: Path) -> None:
    """The token becomes a header, and the server loses its last slash."""
    read = usable_endpoint("here", write(tmp_path / "inline", {"token": "secret"}))
    assert (read.server, read.headers) == ("http://there:1", {"authorization": "Bearer secret"})
    (tmp_path / "token").write_text("of a file\n")
    beside = usable_endpoint("here", write(tmp_path / "beside", {"tokenFile": "token"}))
    assert beside.headers == {"authorization": "Bearer of a file"}


def test_current_context_is_that_of_the_first_file_that_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two files have an entry of one name, the first file counts; a context may be in another file."""
    first = write(tmp_path / "first", {"token": "one"}, contexts=[])
    second = write(tmp_path / "second", {"token": "two"}, **{"current-context": "here"})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{first}:{second}")
    assert usable_endpoint(None, None).headers == {"authorization": "Bearer one"}


@pytest.mark.parametrize(
    "user",
    [
        {"exec": {"command": "doctl"}},
        {"auth-provider": {"name": "oidc"}},
        {"username": "ana", "password": "p"},
        {"token": "t", "as": "root"},
        {"tokenFile": "missing"},
        {"client-certificate": "missing", "client-key": "missing"},
    ],
    ids="-".join,
)
def test_credentials_of_another_kind_are_left_to_the_client(tmp_path: Path, user: dict[str, Any]) -> None:
    """Keys that the module does not understand are never ignored."""
    assert endpoint("here", write(tmp_path / "config", user)) is None


@pytest.mark.parametrize("more", [{"tls-server-name": "other"}, {"insecure-skip-tls-verify": True}])
def test_cluster_with_other_keys_is_left_to_the_client(tmp_path: Path, more: dict[str, Any]) -> None:
    """Above all keys that weaken TLS."""
    path = write(tmp_path / "config", {"token": "t"}, {**SERVER, **more})
    assert endpoint("here", path) is None
    assert isinstance(connect("here", path), ClientConnection)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("just text\n", "it has no keys such as contexts and clusters"),
        ("[1, 2]", "it has no keys such as contexts and clusters"),
        ("contexts: 3", "contexts is not a list"),
        ("contexts: [1]", "number 1 of contexts has no name"),
        ("users: [{name: [a]}]", "number 1 of users has no name"),
        ("clusters: [{name: a, cluster: 5}]", "the cluster a has no keys"),
        ("[", "while parsing a flow node"),
        ("\t", "while scanning for the next token"),
    ],
)
def test_file_that_is_no_kubeconfig_is_one_error(tmp_path: Path, text: str, reason: str) -> None:
    """Every reader of the file names it and says in one line what is wrong."""
    path = tmp_path / "config"
    path.write_text(text)
    for read in (lambda: contexts({"KUBECONFIG": str(path)}), lambda: connect("here", path)):
        with pytest.raises(ClusterError, match=re.escape(f"{path} is not a kubeconfig: {reason}")) as refused:
            read()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "contexts: [{name: here}]",
        "contexts: [{name: here, context: {cluster: a, user: b}}]\nclusters: [{name: a}]\nusers: [{name: b}]",
    ],
)
def test_incomplete_kubeconfig_is_refused_by_the_client(tmp_path: Path, text: str) -> None:
    """The client's message says what is missing."""
    path = tmp_path / "config"
    path.write_text(text)
    assert endpoint("here", path) is None
    with pytest.raises(KubeconfigError):
        connect("here", path)


class _Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"welcome")

    def log_message(self, *_: object) -> None:
        """Drops the line."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The certificate authority that is trusted."""
    return trustme.CA()


@pytest.fixture(scope="module")
def strict_server(authority: trustme.CA) -> Iterator[str]:
    """A server that demands a client certificate of the authority."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("localhost").configure_cert(tls)
    authority.configure_trust(tls)
    server = HTTPServer(("localhost", 0), _Greeter)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def encoded(content: bytes) -> str:
    """Returns the content as a kubeconfig holds it inline."""
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("place", ["inline", "files"])
def test_client_certificate_is_sent_and_the_server_is_verified(
    tmp_path: Path, authority: trustme.CA, strict_server: str, place: str
) -> None:
    """Certificates may be inline, or in files beside the kubeconfig."""
    mine = authority.issue_cert("ana")
    parts = {
        "certificate-authority": authority.cert_pem.bytes(),
        "client-certificate": mine.cert_chain_pems[0].bytes(),
        "client-key": mine.private_key_pem.bytes(),
    }
    if place == "files":
        for name, content in parts.items():
            (tmp_path / f"{name}.pem").write_bytes(content)
        entry = {name: f"{name}.pem" for name in parts}
    else:
        entry = {f"{name}-data": encoded(content) for name, content in parts.items()}
    cluster = {"server": strict_server} | {
        key: entry.pop(key) for key in list(entry) if key.startswith("certificate-authority")
    }
    connection = DirectConnection(usable_endpoint("here", write(tmp_path / "config", entry, cluster)))
    assert connection.send("GET", "/", None, {}) == (200, "welcome")


def test_server_of_another_authority_is_refused(tmp_path: Path, strict_server: str) -> None:
    """The connection fails before anything is sent."""
    other = {"certificate-authority-data": encoded(trustme.CA().cert_pem.bytes())}
    path = write(tmp_path / "config", {}, {"server": strict_server, **other})
    with pytest.raises(ApiUnreachableError, match="certificate verify failed"):
        DirectConnection(usable_endpoint("here", path)).send("GET", "/", None, {})


def test_server_is_known_whatever_the_credentials_are(tmp_path: Path) -> None:
    """The address of a context with a login program is read too; an unknown context has none."""
    path = write(tmp_path / "exec", {"exec": {"command": "login"}}, {**SERVER, "tls-server-name": "there"})
    assert server("here", path) == "http://there:1"
    assert server("elsewhere", path) is None


@pytest.mark.parametrize("context", [{"user": "ana"}, {}], ids=["no cluster", "empty"])
def test_context_without_a_cluster_has_no_server(tmp_path: Path, context: dict[str, str]) -> None:
    """The client names what is missing once something is asked of the cluster."""
    path = write(tmp_path / "config", {}, contexts=[{"name": "here", "context": context}])
    assert server("here", path) is None
    assert endpoint("here", path) is None
