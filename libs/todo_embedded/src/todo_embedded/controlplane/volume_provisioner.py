"""Creates a volume for each claim that waits for one, as the provisioner of a storage class does.

The controller manager marks such a claim with the name of the class's provisioner: at once, or with
`WaitForFirstConsumer` after the scheduler has chosen a node for its pod. It then binds the claim to the
volume. Volumes are `hostPath` ones, because no controller tries to attach these. They are never deleted.
"""

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.controlplane.polling_controller import PollingController

POLL_SECONDS = 0.2
CLAIMS = "api/v1/persistentvolumeclaims"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
NO_PROVISIONER = "kubernetes.io/no-provisioner"  # of classes whose volumes people create


class VolumeProvisioner(PollingController):
    """The provisioner of all storage classes, which works in a thread for the duration of the block."""

    def __init__(self, api: ApiClient) -> None:
        """Prepares it; no volume is created before the block begins."""
        super().__init__("volume provisioner", poll_seconds=POLL_SECONDS)
        self._api = api
        self._provisioned: set[str] = set()

    def poll(self) -> None:
        """Creates the volumes of all claims that wait for one."""
        for claim in self._api.items(CLAIMS):
            uid = claim["metadata"]["uid"]
            if uid not in self._provisioned and is_waiting(claim):
                self._api.create(volume_for(claim))
                self._provisioned.add(uid)


def is_waiting(claim: KubeObject) -> bool:
    """Returns whether a claim waits for its provisioner; one with a selector never gets a new volume."""
    provisioner = (claim["metadata"].get("annotations") or {}).get(PROVISIONER, NO_PROVISIONER)
    spec = claim["spec"]
    return provisioner != NO_PROVISIONER and not spec.get("volumeName") and not spec.get("selector")


def volume_for(claim: KubeObject) -> KubeObject:
    """Returns a volume of the size and class of a claim, which only this claim may use."""
    meta, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{meta['uid']}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": meta["annotations"][PROVISIONER]},
        },
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/volumes/{name}"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{key: meta[key] for key in ("namespace", "name", "uid")},
            },
        },
    }
