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
    names = set()
    for path in _usual(environ):
        try:
            names |= {str(entry["name"]) for entry in _loaded(path).body.get("contexts") or ()}
        except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
            raise ClusterError(
                f"{path} is not a kubeconfig: {error}.",
                remedy="Correct the file, or name another one in KUBECONFIG.",
            ) from error
    return frozenset(names)


def endpoint(context: str | None, kubeconfig: Path | None) -> Endpoint | None:
    """Returns the endpoint of a context (None: the current one); None when this module cannot tell.

    `kubeconfig` None means the usual files. It is None for an invalid file too, because the kubernetes client
    reports the error better.
    """
    try:
        paths = [kubeconfig] if kubeconfig else _usual(os.environ)
        return _endpoint(context, [_loaded(path) for path in paths])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None


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
    """Returns the content of a file, empty where there is none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return _Entry(path, dict(yaml_loader.load(text) or {}))


def _endpoint(context: str | None, files: Sequence[_Entry]) -> Endpoint | None:
    current = context or next(filter(None, (file.body.get("current-context") for file in files)), None)
    chosen = _entry(files, "context", current)
    cluster = _entry(files, "cluster", chosen.body["cluster"]) if chosen else None
    user = _entry(files, "user", chosen.body["user"]) if chosen else None
    if cluster is None or user is None:
        return None
    if cluster.body.keys() - CLUSTER_KEYS or user.body.keys() - USER_KEYS:
        return None
    return Endpoint(str(cluster.body["server"]).rstrip("/"), _tls(cluster, user), _headers(user))


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
