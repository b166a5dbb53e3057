"""Texts of every kind reach a real API server as they are."""

import uuid

from todo_release.adapters.kubernetes.client import Cluster

from .shared_control_plane import SharedControlPlane

TEXTS = {
    "emoji": "\U0001f600",
    "separators": "a\u2028b\u2029c\u0085d",
    "controls": "\t\x7f\x9f",
    "marks": "\ufeffx\ufffe",
    "quotes": "\"\\'\n- a: b # c",
}


def test_applied_texts_are_stored_as_they_are(shared: SharedControlPlane) -> None:
    """The server reads what is applied as YAML, which has other escapes and line breaks than JSON."""
    cluster = Cluster.connect("rehearsal", shared.plane.kubeconfig)
    name = f"texts-{uuid.uuid4().hex[:8]}"
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": TEXTS}
    cluster.apply(wanted, "default", manager="test")
    path = f"api/v1/namespaces/default/configmaps/{name}"
    assert cluster.read(path)["data"] == TEXTS
    cluster.delete(path)
