"""Writes the kubeconfig by which kubectl and other clients reach a control plane."""

import base64
import json
from pathlib import Path

from todo_embedded.controlplane.pki import KeyPair

CONTEXT = "rehearsal"


def write_kubeconfig(path: Path, *, url: str, authority: Path, user: KeyPair) -> Path:
    """Writes a kubeconfig with embedded certificates, readable by its owner only, and returns its path.

    The file is JSON, which is valid YAML. Its only context, `rehearsal`, is the current one.
    """
    client = {
        "client-certificate-data": _base64(user.certificate),
        "client-key-data": _base64(user.key),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "clusters": [
            {"name": CONTEXT, "cluster": {"server": url, "certificate-authority-data": _base64(authority)}}
        ],
        "users": [{"name": CONTEXT, "user": client}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))
    return path


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
