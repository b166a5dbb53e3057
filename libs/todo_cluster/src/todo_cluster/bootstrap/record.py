"""The record of what was done to a cluster, in a ConfigMap of it: by step, with fingerprint, time and person.

The cluster itself is asked whether a step is done. The record adds what the cluster cannot say: of which
archive a chart was installed, and that the trial certificate was once issued.
"""

import getpass
import json
import socket
from datetime import UTC, datetime

from todo_release.adapters.kubernetes.client import Cluster

NAMESPACE, NAME = "kube-system", "cluster-bootstrap"
LABELS = {"app.kubernetes.io/managed-by": "cluster-bootstrap"}


class Record:
    """What is recorded in one cluster; it is written only when something changes."""

    def __init__(self, cluster: Cluster) -> None:
        """Reads the record, which need not be there."""
        self._cluster = cluster
        self._entries = cluster.get_config_map(NAMESPACE, NAME) or {}

    def fingerprint(self, step: str) -> str | None:
        """Returns the fingerprint that a step had when it was last done; None when it never was."""
        entry = self._entries.get(step)
        return str(json.loads(entry)["fingerprint"]) if entry else None

    def write(self, step: str, fingerprint: str) -> bool:
        """Records that a step is done; returns False when exactly that is recorded already."""
        if self.fingerprint(step) == fingerprint:
            return False
        entry = {
            "fingerprint": fingerprint,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": f"{getpass.getuser()}@{socket.gethostname()}",
        }
        self._entries = {**self._entries, step: json.dumps(entry)}
        self._cluster.put_config_map(NAMESPACE, NAME, self._entries, LABELS)
        return True
