"""What pods need of Secrets and ConfigMaps, and what a kubelet says when it is not there.

The words are those of Kubernetes 1.34 (pkg/kubelet/kubelet_pods.go, pkg/volume/{secret,configmap}): releases
are judged by them. What is optional is left out, since nothing is said about it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """A Secret or ConfigMap, or a `key` of one, that a container, or a `volume`, cannot do without."""

    kind: str
    namespace: str
    name: str
    key: str = ""
    volume: str = ""

    @property
    def path(self) -> str:
        """Where the API server has the object."""
        return f"api/v1/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"

    def complaint(self, found: Json | None) -> str:
        """What the kubelet says about the object as it was found; empty when nothing is amiss."""
        if found is None:
            said = f'{self.kind.lower()} "{self.name}" not found'
        elif not self.key or self.key in (found.get("data") or {}) | (found.get("binaryData") or {}):
            return ""
        elif not self.volume:
            return f"couldn't find key {self.key} in {self.kind} {self.namespace}/{self.name}"
        elif self.kind == "Secret":
            said = f"references non-existent secret key: {self.key}"
        else:
            said = f"configmap references non-existent config key: {self.key}"
        return f'MountVolume.SetUp failed for volume "{self.volume}" : {said}' if self.volume else said


def of_container(container: Json, namespace: str) -> Iterator[Reference]:
    """What the environment of a container needs, in the order in which a kubelet looks for it."""
    for source in container.get("envFrom", []):
        yield from _whole(source.get("configMapRef"), "ConfigMap", namespace)
        yield from _whole(source.get("secretRef"), "Secret", namespace)
    for variable in container.get("env", []):
        value_from = variable.get("valueFrom", {})
        yield from _key(value_from.get("configMapKeyRef"), "ConfigMap", namespace)
        yield from _key(value_from.get("secretKeyRef"), "Secret", namespace)


def of_volumes(pod: Json) -> Iterator[Reference]:
    """What the volumes of a pod need."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes", []):
        name = volume["name"]
        secret, config_map = volume.get("secret"), volume.get("configMap")
        if secret:  # the one place where a Secret's name is not called `name`
            yield from _mounted({"name": secret["secretName"], **secret}, "Secret", namespace, name)
        yield from _mounted(config_map, "ConfigMap", namespace, name)
        for source in volume.get("projected", {}).get("sources", []):
            yield from _mounted(source.get("secret"), "Secret", namespace, name)
            yield from _mounted(source.get("configMap"), "ConfigMap", namespace, name)


def of_pulling(pod: Json) -> Iterator[Reference]:
    """The Secrets with which the images of a pod are pulled."""
    for secret in pod["spec"].get("imagePullSecrets", []):
        yield from _whole(secret, "Secret", pod["metadata"]["namespace"])


def _whole(source: Json | None, kind: str, namespace: str) -> Iterator[Reference]:
    if source and not source.get("optional"):
        yield Reference(kind, namespace, source["name"])


def _key(source: Json | None, kind: str, namespace: str) -> Iterator[Reference]:
    if source and not source.get("optional"):
        yield Reference(kind, namespace, source["name"], key=source["key"])


def _mounted(source: Json | None, kind: str, namespace: str, volume: str) -> Iterator[Reference]:
    if source and not source.get("optional"):
        yield Reference(kind, namespace, source["name"], volume=volume)
        for item in source.get("items", []):
            yield Reference(kind, namespace, source["name"], key=item["key"], volume=volume)
