"""Reads kubeconfig files: which contexts there are, and the credentials that stand in them as they are.

Certificates, keys and tokens are read here. Whoever has to be asked for theirs (`exec`, `auth-provider`, a
password) is left to the kubernetes client, which knows every way and takes a quarter of a second to load.
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

from todo_release.core.yaml_positions import LOADER
from todo_release.errors import ClusterError

# All that is understood here. A user or a cluster with anything else is left alone.
CLUSTER_KEYS = {"server", "certificate-authority", "certificate-authority-data", "extensions"}
USER_KEYS = {
    "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
    "extensions",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an API server is, and what it wants to see."""

    server: str
    tls: ssl.SSLContext
    headers: Mapping[str, str]


def contexts(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Names of the contexts in the usual files; none without a file.

    Raises:
        ClusterError: a file is no kubeconfig.
    """
    found = set()
    for path in _usual(environ):
        try:
            found |= {str(one["name"]) for one in _loaded(path).body.get("contexts") or ()}
        except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
            raise ClusterError(f"{path} is no kubeconfig: {error}.", remedy="Correct KUBECONFIG.") from error
    return frozenset(found)


def endpoint(context: str | None, kubeconfig: Path | None) -> Endpoint | None:
    """The endpoint of a context (None: the current one); None when this module cannot tell.

    `kubeconfig` None is the usual files. What is wrong in one the kubernetes client says better.
    """
    try:
        paths = [kubeconfig] if kubeconfig else _usual(os.environ)
        return _endpoint(context, [_loaded(path) for path in paths])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None


@dataclass(frozen=True, slots=True)
class _Part:
    """A kubeconfig or an entry of one; file names in it are relative to the folder of `path`."""

    path: Path
    body: Mapping[str, Any]

    def content(self, key: str) -> bytes | None:
        """What stands in the entry itself, or in the file it names; None when neither does."""
        if inline := self.body.get(f"{key}-data"):
            return base64.b64decode(inline)
        return self.file(key)

    def file(self, key: str) -> bytes | None:
        """What stands in the file that the entry names; None when it names none."""
        name = self.body.get(key)
        return (self.path.parent / name).read_bytes() if name else None


def _usual(environ: Mapping[str, str]) -> list[Path]:
    """The files of $KUBECONFIG, else ~/.kube/config."""
    named = environ.get("KUBECONFIG") or "~/.kube/config"
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part]


def _loaded(path: Path) -> _Part:
    """The file, with nothing in it where there is none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return _Part(path, dict(yaml.load(text, LOADER) or {}))  # noqa: S506 - it is a safe one


def _endpoint(context: str | None, files: Sequence[_Part]) -> Endpoint | None:
    current = context or next(filter(None, (file.body.get("current-context") for file in files)), None)
    chosen = _entry(files, "context", current)
    cluster = _entry(files, "cluster", chosen.body["cluster"]) if chosen else None
    user = _entry(files, "user", chosen.body["user"]) if chosen else None
    if cluster is None or user is None:
        return None
    if cluster.body.keys() - CLUSTER_KEYS or user.body.keys() - USER_KEYS:
        return None
    return Endpoint(str(cluster.body["server"]).rstrip("/"), _tls(cluster, user), _headers(user))


def _entry(files: Sequence[_Part], kind: str, name: str | None) -> _Part | None:
    """What the files say under a name; of what two say the first one counts."""
    for file in files:
        for one in file.body.get(f"{kind}s") or ():
            if one["name"] == name:
                return _Part(file.path, one.get(kind) or {})
    return None


def _headers(user: _Part) -> dict[str, str]:
    token = user.body.get("token") or (user.file("tokenFile") or b"").decode().strip()
    return {"authorization": f"Bearer {token}"} if token else {}


def _tls(cluster: _Part, user: _Part) -> ssl.SSLContext:
    authority = cluster.content("certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    # Authorities of many clusters are older than what this asks of them.
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if certificate and key:
        with ExitStack() as stack:  # the standard library takes a certificate only from files
            names = []
            for content in (certificate, key):
                file = stack.enter_context(tempfile.NamedTemporaryFile())
                file.write(content)
                file.flush()
                names.append(file.name)
            tls.load_cert_chain(*names)
    return tls
