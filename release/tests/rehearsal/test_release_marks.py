"""A real API server takes the Events that mark deployments."""

from datetime import UTC, datetime

from todo_release.adapters.kubernetes.api_resources import EVENTS
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.config.model import TargetEnvironment
from todo_release.environments.environment import EnvironmentAccess, ReleaseMark
from todo_release.environments.history import RecordStore
from todo_release.environments.release_marks import write_event

from ..doubles.clients import HelmDouble
from .shared_control_plane import SharedControlPlane

NAMESPACE = "marks"
AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_event_is_kept_by_the_api_server(shared: SharedControlPlane) -> None:
    """It is about the ConfigMap with the records, and may be written for each deployment."""
    shared.plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    cluster = Cluster.connect(None, shared.plane.kubeconfig)
    cluster.put_config_map(NAMESPACE, "shop-releases", {})
    settings = TargetEnvironment(context="here", namespace=NAMESPACE, release="shop", url="http://shop.test")
    access = EnvironmentAccess(
        name="staging",
        settings=settings,
        cluster=cluster,
        helm=HelmDouble(),  # type: ignore[arg-type]  # a double
        records=RecordStore(cluster, NAMESPACE, "shop"),
    )
    for text in (
        "staging: deploy 0.1.0 to staging (revision 1)",
        "staging: rolled back to 0.1.0 (revision 1)",
    ):
        reason = "Released" if "deploy" in text else "RolledBack"
        mark = ReleaseMark(reason=reason, text=text, by="Rita", began_at=AT, ended_at=AT)
        write_event(access, mark)
    events = cluster.items(EVENTS.path(NAMESPACE), {"fieldSelector": "involvedObject.kind=ConfigMap"})
    assert sorted(event["reason"] for event in events) == ["Released", "RolledBack"]
    (uid,) = {event["involvedObject"]["uid"] for event in events}
    assert uid
