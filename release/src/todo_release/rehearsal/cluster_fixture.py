"""The cluster of a rehearsal: what it holds before the release, and the control plane that runs it."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_embedded.controlplane import nodes
from todo_embedded.controlplane.control_plane import ControlPlane, control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.nodes import SimulatedNode
from todo_embedded.controlplane.object_paths import KubeObject
from todo_embedded.controlplane.sidecar_injector import inject_sidecars
from todo_embedded.controlplane.simulated_kubelet import ImageCheck
from todo_embedded.tools import OnMessage
from todo_release.adapters.kubernetes.quantities import millicores, size_bytes
from todo_release.config.model import Config, RehearsalNodes, RehearsalSettings
from todo_release.core import text_file, yaml_loader
from todo_release.errors import ConfigError

PULL_KEY = ".dockerconfigjson"
PLACEHOLDER = "rehearsal"
CONTEXT = "rehearsal"
GIBIBYTE = 2**30
# Nearly every cluster has one; release.yaml describes another one by a manifest.
DEFAULT_STORAGE_CLASS: KubeObject = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "rehearsal.example.com",
    "volumeBindingMode": "WaitForFirstConsumer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFixture:
    """Nodes, and objects in the order of their creation, except that custom resources come last.

    `summary` describes the cluster in a report, as a noun. Without `has_definitions` the kinds of Dapr,
    cert-manager and the Prometheus operator are installed too.
    """

    summary: str
    nodes: tuple[SimulatedNode, ...]
    objects: tuple[KubeObject, ...]
    has_definitions: bool = False

    @property
    def built_in(self) -> tuple[KubeObject, ...]:
        """Objects of kinds that every API server knows."""
        defined = self._defined_groups
        return tuple(manifest for manifest in self.objects if not _is_custom(manifest, defined))

    @property
    def custom(self) -> tuple[KubeObject, ...]:
        """Objects of kinds that need a CustomResourceDefinition."""
        defined = self._defined_groups
        return tuple(manifest for manifest in self.objects if _is_custom(manifest, defined))

    @property
    def _defined_groups(self) -> set[str]:
        return {
            manifest["spec"]["group"]
            for manifest in self.objects
            if manifest["kind"] == "CustomResourceDefinition"
        }


def from_config(config: Config, tree: Path, registry_host: str) -> ClusterFixture:
    """Returns the cluster that release.yaml describes.

    Raises:
        ConfigError: a file that release.yaml names does not exist or holds no objects.
    """
    settings = config.rehearsal
    objects = provider_workloads(settings)
    objects += [manifest for name in settings.manifests for manifest in _load(tree, name)]
    objects += missing_namespaces(config, objects)
    if all(manifest["kind"] != "StorageClass" for manifest in objects):
        objects.append(DEFAULT_STORAGE_CLASS)
    objects += [
        secret(environment.namespace, name, values, registry_host)
        for environment in config.environments.values()
        for name, values in settings.secrets.items()
    ]
    return ClusterFixture(
        summary=f"{' and '.join(map(_describe, settings.nodes))}, as configured in release.yaml",
        nodes=simulated_nodes(settings),
        objects=tuple(objects),
    )


def simulated_nodes(settings: RehearsalSettings) -> tuple[SimulatedNode, ...]:
    """Returns the nodes of all node pools."""
    return tuple(
        node
        for pool in settings.nodes
        for node in nodes.node_pool(
            pool.prefix,
            pool.count,
            capacity=pool.capacity,
            allocatable=pool.allocatable,
            labels=pool.labels,
        )
    )


def provider_workloads(settings: RehearsalSettings) -> list[KubeObject]:
    """Returns what the cluster's provider runs."""
    return [
        nodes.daemon_set(workload.name, workload.requests)
        if workload.kind == "DaemonSet"
        else nodes.deployment(workload.name, workload.requests, replicas=workload.replicas)
        for workload in settings.workloads
    ]


def missing_namespaces(config: Config, objects: Iterable[KubeObject]) -> list[KubeObject]:
    """Returns the environments' namespaces that are not among some objects."""
    existing = {manifest["metadata"]["name"] for manifest in objects if manifest["kind"] == "Namespace"}
    wanted = dict.fromkeys(environment.namespace for environment in config.environments.values())
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in wanted
        if name not in existing
    ]


def secret(namespace: str, name: str, values: Mapping[str, str], registry_host: str) -> KubeObject:
    """Returns a Secret with these keys; a key without a value gets a placeholder.

    A pull secret gets credentials for the sandbox's registry.
    """
    login = {"auths": {registry_host: {"username": PLACEHOLDER, "password": PLACEHOLDER}}}
    data = {key: value or PLACEHOLDER for key, value in values.items()}
    if PULL_KEY in data:
        data[PULL_KEY] = json.dumps(login)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson" if PULL_KEY in data else "Opaque",
        "stringData": data,
    }


@contextmanager
def run_cluster(
    fixture: ClusterFixture, folder: Path, *, image_check: ImageCheck, progress: OnMessage
) -> Iterator[ControlPlane]:
    """Runs the cluster for the duration of the block.

    Raises:
        EmbeddedError: a program could not be built or started, or an object was refused.
    """
    with control_plane(
        folder, nodes=fixture.nodes, workloads=fixture.built_in, image_check=image_check, progress=progress
    ) as plane:
        if not fixture.has_definitions:
            install_definitions(plane.api, progress=progress)
        inject_sidecars(plane.api)
        for manifest in fixture.custom:
            plane.api.create(manifest)
        yield plane


def _describe(pool: RehearsalNodes) -> str:
    cpu = f"{millicores(pool.capacity.get('cpu', 0)) / 1000:g} CPU"
    memory = f"{size_bytes(pool.capacity.get('memory', 0)) / GIBIBYTE:.1f} GiB"
    return f"{pool.count} simulated {'node' if pool.count == 1 else 'nodes'} of {cpu} and {memory}"


def _is_custom(manifest: KubeObject, defined_groups: Container[str]) -> bool:
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    is_of_kubernetes = "." not in group or group.endswith(".k8s.io")
    return not is_of_kubernetes or group in defined_groups


def _load(tree: Path, name: str) -> list[Mapping[str, Any]]:
    path = tree / name
    if not path.is_file():
        raise ConfigError(
            f"rehearsal.manifests names {name}, which does not exist.",
            remedy="Correct the path in release.yaml.",
        )
    try:
        objects = yaml_loader.load_all(text_file.read(path, name))
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {error}", remedy="Correct it.", file=name) from error
    required = {"apiVersion", "kind", "metadata"}
    if not all(isinstance(manifest, dict) and required <= manifest.keys() for manifest in objects):
        raise ConfigError(
            f"{name} holds a document that is no Kubernetes object.",
            remedy="Give it apiVersion, kind and metadata.",
            file=name,
        )
    return objects
