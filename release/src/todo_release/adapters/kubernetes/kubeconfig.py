"""Reads kubeconfig files: which contexts there are, and credentials that are written in them.

Certificates, keys and tokens are read here. Other kinds of credentials (`exec`, `auth-provider`, a password)
are left to the kubernetes client, which knows them all and takes a quarter of a second to load.
"""

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_release.core import yaml_loader
from todo_release.errors import ClusterError

# The keys that this module understands; a user or cluster with any other key is left to the client.
CLUSTER_KEYS = {"server", "certificate-authority", "certificate-authority-data", "extensions"}
USER_KEYS = {
    "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
    "extensions",
}  # fmt: skip

KINDS = ("context", "cluster", "user")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an API server, and what a connection to it needs."""

    server: str
    tls: ssl.SSLContext
    headers: Mapping[str, str]


def contexts(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Returns the names of the contexts in the usual files; none without a file.

    Raises:
        ClusterError: A file is not a kubeconfig.
    """
    return frozenset(
        entry["name"] for path in _usual(environ) for entry in _loaded(path).body.get("contexts") or ()
    )


def endpoint(context: str | None, kubeconfig: Path | None) -> Endpoint | None:
    """Returns the endpoint of a context (None: the current one); None when this module cannot tell.

    `kubeconfig` None means the usual files. Where a file that they name cannot be used, the kubernetes client
    reports the error better.

    Raises:
        ClusterError: A file is not a kubeconfig.
    """
    paths = [kubeconfig] if kubeconfig else _usual(os.environ)
    files = [_loaded(path) for path in paths]
    try:
        return _endpoint(context, files)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def server(context: str | None, kubeconfig: Path | None) -> str | None:
    """Returns the address of a context's API server, whatever its credentials are; None when there is none.

    Raises:
        ClusterError: A file is not a kubeconfig.
    """
    files = [_loaded(path) for path in ([kubeconfig] if kubeconfig else _usual(os.environ))]
    cluster = _cluster(files, _context(context, files))
    address = cluster.body.get("server") if cluster else None
    return str(address).rstrip("/") if address else None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A kubeconfig or one entry of it; file names in it are relative to the folder of `path`."""

    path: Path
    body: Mapping[str, Any]

    def content(self, key: str) -> bytes | None:
        """Returns the value in the entry itself, or in the file that it names; None when it has neither."""
        if inline := self.body.get(f"{key}-data"):
            return base64.b64decode(inline)
        return self.file(key)

    def file(self, key: str) -> bytes | None:
        """Returns the content of the file that the entry names; None when it names none."""
        name = self.body.get(key)
        return (self.path.parent / name).read_bytes() if name else None


def _usual(environ: Mapping[str, str]) -> list[Path]:
    """Returns the files of $KUBECONFIG, else ~/.kube/config."""
    named = environ.get("KUBECONFIG") or "~/.kube/config"
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part]


def _loaded(path: Path) -> _Entry:
    """Returns the content of a file, empty where there is none.

    Raises:
        ClusterError: It is not a kubeconfig.
    """
    try:
        body = yaml_loader.load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _no_kubeconfig(path, " ".join(str(error).split())) from error
    if problem := _problem({} if body is None else body):
        raise _no_kubeconfig(path, problem)
    return _Entry(path, body or {})


def _problem(body: Any) -> str | None:
    """Returns why the content of a file is not that of a kubeconfig; None when it is."""
    if not isinstance(body, dict):
        return "it has no keys such as contexts and clusters"
    for kind in KINDS:
        entries = body.get(f"{kind}s")
        if not isinstance(entries, list | None):
            return f"{kind}s is not a list"
        for number, entry in enumerate(entries or (), start=1):
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                return f"number {number} of {kind}s has no name"
            if not isinstance(entry.get(kind), dict | None):
                return f"the {kind} {entry['name']} has no keys"
    return None


def _no_kubeconfig(path: Path, reason: str) -> ClusterError:
    return ClusterError(
        f"{path} is not a kubeconfig: {reason}.",
        remedy="Correct the file, or name another one in KUBECONFIG.",
    )


def _endpoint(context: str | None, files: Sequence[_Entry]) -> Endpoint | None:
    chosen = _context(context, files)
    cluster = _cluster(files, chosen)
    user = _entry(files, "user", chosen.body["user"]) if chosen else None
    if cluster is None or user is None:
        return None
    if cluster.body.keys() - CLUSTER_KEYS or user.body.keys() - USER_KEYS:
        return None
    return Endpoint(str(cluster.body["server"]).rstrip("/"), _tls(cluster, user), _headers(user))


def _context(context: str | None, files: Sequence[_Entry]) -> _Entry | None:
    """Returns the entry of a context, by default of the current one."""
    current = context or next(filter(None, (file.body.get("current-context") for file in files)), None)
    return _entry(files, "context", current)


def _cluster(files: Sequence[_Entry], context: _Entry | None) -> _Entry | None:
    return _entry(files, "cluster", context.body.get("cluster")) if context else None


def _entry(files: Sequence[_Entry], kind: str, name: str | None) -> _Entry | None:
    """Returns the entry of a name; where two files have it, the first one counts."""
    for file in files:
        for entry in file.body.get(f"{kind}s") or ():
            if entry["name"] == name:
                return _Entry(file.path, entry.get(kind) or {})
    return None


def _headers(user: _Entry) -> dict[str, str]:
    token = user.body.get("token") or (user.file("tokenFile") or b"").decode().strip()
    return {"authorization": f"Bearer {token}"} if token else {}


def _tls(cluster: _Entry, user: _Entry) -> ssl.SSLContext:
    authority = cluster.content("certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    # The certificate authorities of many clusters do not meet RFC 5280 as strictly as this flag demands.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if certificate and key:
        with ExitStack() as stack:  # the standard library reads certificates only from files
            names = []
            for content in (certificate, key):
                file = stack.enter_context(tempfile.NamedTemporaryFile())
                file.write(content)
                file.flush()
                names.append(file.name)
            tls.load_cert_chain(*names)
    return tls
