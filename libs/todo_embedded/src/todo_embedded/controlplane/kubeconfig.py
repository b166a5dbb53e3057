"""The file by which clients, ours and anybody's, reach a control plane."""

import base64
import json
from pathlib import Path

from todo_embedded.controlplane.pki import KeyPair

CONTEXT = "rehearsal"


def write_kubeconfig(path: Path, *, url: str, authority: Path, user: KeyPair) -> Path:
    """Write a kubeconfig that carries its certificates with it, readable by its owner only, and return it.

    It is JSON, which is YAML too. Its only context, named `rehearsal`, is the current one.
    """
    client = {
        "client-certificate-data": _encoded(user.certificate),
        "client-key-data": _encoded(user.key),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "clusters": [
            {"name": CONTEXT, "cluster": {"server": url, "certificate-authority-data": _encoded(authority)}}
        ],
        "users": [{"name": CONTEXT, "user": client}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
