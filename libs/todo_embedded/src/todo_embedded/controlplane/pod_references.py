"""Walks pod specs for the Secrets and ConfigMaps that a pod needs. The only such walker in the house.

The simulated kubelet uses it to start pods, the release engine to check a chart beforehand. Optional
references are left out, because nothing fails without them. Null parts count as absent, because templates may
render them.

`Reference.complaint` has the words of Kubernetes 1.34 (pkg/kubelet/kubelet_pods.go,
pkg/volume/{secret,configmap}), because failures of releases are recognised by them. Imports nothing outside
the standard library.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A Secret or ConfigMap, or a `key` of one, that a container, or a `volume`, requires.

    `field` is the path of the variable, `envFrom` source or volume that holds the reference, below the path
    given to the walker.
    """

    kind: str
    namespace: str
    name: str
    key: str = ""
    volume: str = ""
    field: FieldPath = ()

    @property
    def path(self) -> str:
        """Returns the object's path on the API server."""
        return f"api/v1/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"

    def complaint(self, live: Json | None) -> str:
        """Returns what the kubelet says about the live object, None if missing; empty when it suffices."""
        if live is None:
            message = f'{self.kind.lower()} "{self.name}" not found'
        elif not self.key or self.key in (live.get("data") or {}) | (live.get("binaryData") or {}):
            return ""
        elif not self.volume:
            return f"couldn't find key {self.key} in {self.kind} {self.namespace}/{self.name}"
        elif self.kind == "Secret":
            message = f"references non-existent secret key: {self.key}"
        else:
            message = f"configmap references non-existent config key: {self.key}"
        return f'MountVolume.SetUp failed for volume "{self.volume}" : {message}' if self.volume else message


def of_pod_spec(spec: Json, namespace: str, field: FieldPath = ()) -> Iterator[Reference]:
    """Yields what containers need, in the order in which they start, then what volumes need."""
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from of_container(container, namespace, (*field, group, index))
    yield from of_volumes(spec, namespace, field)


def of_container(container: Json, namespace: str, field: FieldPath = ()) -> Iterator[Reference]:
    """Yields what a container's environment needs, in the order in which a kubelet reads it."""
    for index, source in enumerate(container.get("envFrom") or ()):
        source_field = (*field, "envFrom", index)
        yield from _object(source.get("configMapRef"), "ConfigMap", namespace, source_field)
        yield from _object(source.get("secretRef"), "Secret", namespace, source_field)
    for index, variable in enumerate(container.get("env") or ()):
        value_from = variable.get("valueFrom") or {}
        variable_field = (*field, "env", index)
        yield from _key(value_from.get("configMapKeyRef"), "ConfigMap", namespace, variable_field)
        yield from _key(value_from.get("secretKeyRef"), "Secret", namespace, variable_field)


def of_volumes(spec: Json, namespace: str, field: FieldPath = ()) -> Iterator[Reference]:
    """Yields what the volumes of a pod spec need: each object, and each of its keys that is listed."""
    for index, volume in enumerate(spec.get("volumes") or ()):
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for kind, part in (("Secret", "secret"), ("ConfigMap", "configMap")):
                mounted = source.get(part)
                if not mounted or mounted.get("optional"):
                    continue
                # Only a Secret that is a volume of its own has `secretName` instead of `name`.
                name = mounted.get("secretName") or mounted["name"]
                for key in ("", *(item["key"] for item in mounted.get("items") or ())):
                    yield Reference(kind, namespace, name, key, volume["name"], (*field, "volumes", index))


def of_image_pulls(spec: Json, namespace: str, field: FieldPath = ()) -> Iterator[Reference]:
    """Yields the pull secrets of a pod spec."""
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        yield from _object(secret, "Secret", namespace, (*field, "imagePullSecrets", index))


def _object(source: Json | None, kind: str, namespace: str, field: FieldPath) -> Iterator[Reference]:
    if source and not source.get("optional"):
        yield Reference(kind, namespace, source["name"], field=field)


def _key(source: Json | None, kind: str, namespace: str, field: FieldPath) -> Iterator[Reference]:
    if source and not source.get("optional"):
        yield Reference(kind, namespace, source["name"], key=source["key"], field=field)
