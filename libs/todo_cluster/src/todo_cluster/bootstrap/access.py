"""Steps that write a kubeconfig of each environment's account, for a machine that releases.

The token is asked of the API server (TokenRequest) and expires; no Secret of the cluster holds it. The file
is readable by its owner only. The pipeline asks for a token of its own in each run (docs/guides/ci.md).
"""

import base64
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from todo_cluster.bootstrap.step import State, fingerprint_of
from todo_cluster.errors import BootstrapError
from todo_cluster.site import Site
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.adapters.kubernetes.api_resources import SERVICE_ACCOUNTS
from todo_release.core import release_folder

RENEWAL_SHARE = 0.25  # a new token is asked for in the last quarter of the old one's time


@dataclass(frozen=True, slots=True)
class KubeconfigStep:
    """There is a kubeconfig of an environment's account whose token is valid for a while."""

    environment: str

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"kubeconfig.{self.environment}"

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"kubeconfig of the account that releases to {self.environment}"

    def fingerprint(self, site: Site) -> str:
        """See `Step`."""
        return fingerprint_of(site.namespaces[self.environment], site.config.access.model_dump())

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`."""
        path = self._path(site)
        if not path.is_file():
            return State(False, f"no {path.relative_to(site.root)} yet")
        if path.stat().st_mode & 0o077:
            return State(False, f"{path.relative_to(site.root)} can be read by others")
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["clusters"][0]["cluster"]["server"] != _server(site):
            return State(False, f"{path.relative_to(site.root)} leads to another cluster")
        remaining = _expiry(document["users"][0]["user"]["token"]) - datetime.now(UTC).timestamp()
        if remaining < site.config.access.hours * 3600 * RENEWAL_SHARE:
            return State(False, "its token expires soon, or has expired")
        return State(True, f"{path.relative_to(site.root)}, for {remaining / 3600:.0f} more hours")

    def do(self, site: Site) -> None:
        """See `Step`."""
        namespace, access = site.namespaces[self.environment], site.config.access
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": access.hours * 3600},
        }
        path = f"{SERVICE_ACCOUNTS.path(namespace)}/{access.account}/token"
        token = site.cluster.create(path, request)["status"]["token"]
        authority = site.cluster.get_config_map(namespace, "kube-root-ca.crt") or {}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self._context(site),
            "clusters": [{"name": "cluster", "cluster": _cluster_entry(_server(site), authority["ca.crt"])}],
            "users": [{"name": access.account, "user": {"token": token}}],
            "contexts": [
                {
                    "name": self._context(site),
                    "context": {"cluster": "cluster", "user": access.account, "namespace": namespace},
                }
            ],
        }
        write_private(self._path(site), json.dumps(document, indent=2))

    def _path(self, site: Site) -> Path:
        return site.folder / f"{self.environment}.kubeconfig"

    def _context(self, site: Site) -> str:
        """Returns the context that release.yaml names, so that a release finds it."""
        return site.release.environments[self.environment].context


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, never even for a moment by others."""
    release_folder.create(path.parent)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _server(site: Site) -> str:
    """Returns the address of the API server, as the administrator's kubeconfig has it."""
    access = site.access
    server = kubeconfig.server(access.context, access.kubeconfig) if access else None
    if server is None:
        raise BootstrapError(
            "The kubeconfig of the administrator does not name the API server.",
            remedy="Check the context with `kubectl config view`.",
        )
    return server


def _cluster_entry(server: str, authority: str) -> dict[str, str]:
    return {
        "server": server,
        "certificate-authority-data": base64.b64encode(authority.encode()).decode(),
    }


def _expiry(token: str) -> float:
    """Returns the second at which a JSON Web Token expires."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return float(claims["exp"])
