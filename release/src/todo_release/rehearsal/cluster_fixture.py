"""The cluster of a rehearsal: what is in it before a release comes, and how that is put there."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_embedded.controlplane.api_client import Manifest
from todo_embedded.controlplane.control_plane import Plane, control_plane
from todo_embedded.controlplane.crds import install_definitions
from todo_embedded.controlplane.nodes import DOKS_WORKLOADS, DROPLETS, Node
from todo_embedded.controlplane.sidecar_injector import inject_sidecars
from todo_embedded.controlplane.simulated_kubelet import ImageCheck
from todo_embedded.tools import Progress
from todo_release.config.model import Config
from todo_release.errors import ConfigError

PULL_KEY = ".dockerconfigjson"
PLACEHOLDER = "rehearsal"
CONTEXT = "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Machines, and objects in the order in which they are made; those of kinds that definitions bring come
    last. `told` says in one line where all of it comes from. Without `has_definitions` the kinds of Dapr,
    cert-manager and the Prometheus operator come besides.
    """

    told: str
    nodes: tuple[Node, ...]
    objects: tuple[Manifest, ...]
    has_definitions: bool = False

    @property
    def built_in(self) -> tuple[Manifest, ...]:
        """Objects of kinds that every API server knows."""
        return self._parted[0]

    @property
    def custom(self) -> tuple[Manifest, ...]:
        """Objects of kinds that definitions bring."""
        return self._parted[1]

    @property
    def _parted(self) -> tuple[tuple[Manifest, ...], tuple[Manifest, ...]]:
        defined = {one["spec"]["group"] for one in self.objects if one["kind"] == "CustomResourceDefinition"}
        custom = tuple(one for one in self.objects if _is_custom(one, defined))
        return tuple(one for one in self.objects if not _is_custom(one, defined)), custom


def of_config(config: Config, tree: Path, registry_host: str) -> Site:
    """The default machines, furnished as release.yaml says.

    Raises:
        ConfigError: a file that release.yaml names is not there or holds no objects.
    """
    objects = [*DOKS_WORKLOADS, *(one for name in config.rehearsal.manifests for one in _load(tree, name))]
    objects += namespaces(config, objects)
    objects += [
        secret(environment.namespace, name, words, registry_host)
        for environment in config.environments.values()
        for name, words in config.rehearsal.secrets.items()
    ]
    return Site(
        told=f"{len(DROPLETS)} nodes of 2 CPU and 4 GB, furnished as release.yaml says",
        nodes=DROPLETS,
        objects=tuple(objects),
    )


def namespaces(config: Config, objects: Iterable[Manifest]) -> list[Manifest]:
    """The namespaces of environments that are not among some objects."""
    there = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    wanted = dict.fromkeys(environment.namespace for environment in config.environments.values())
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in wanted
        if name not in there
    ]


def secret(namespace: str, name: str, words: Mapping[str, str], registry_host: str) -> Manifest:
    """A Secret with these keys; those without a word hold nothing of meaning, a pull secret covers the
    scratch registry.
    """
    login = {"auths": {registry_host: {"username": PLACEHOLDER, "password": PLACEHOLDER}}}
    values = {key: word or PLACEHOLDER for key, word in words.items()}
    if PULL_KEY in values:
        values[PULL_KEY] = json.dumps(login)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson" if PULL_KEY in values else "Opaque",
        "stringData": values,
    }


@contextmanager
def running(site: Site, folder: Path, *, image_check: ImageCheck, progress: Progress) -> Iterator[Plane]:
    """Run the cluster for the length of the block.

    Raises:
        EmbeddedError: a program could not be built or started, or an object was refused.
    """
    with control_plane(
        folder, nodes=site.nodes, workloads=site.built_in, image_check=image_check, progress=progress
    ) as plane:
        if not site.has_definitions:
            install_definitions(plane.api, progress=progress)
        inject_sidecars(plane.api)
        for one in site.custom:
            plane.api.create(one)
        yield plane


def _is_custom(manifest: Manifest, defined: Container[str]) -> bool:
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    is_of_kubernetes = "." not in group or group.endswith(".k8s.io")
    return not is_of_kubernetes or group in defined


def _load(tree: Path, name: str) -> list[Mapping[str, Any]]:
    path = tree / name
    if not path.is_file():
        raise ConfigError(f"rehearsal.manifests names {name}, which is not there.", remedy="Check its path.")
    try:
        found = [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {error}", remedy="Correct it.", file=name) from error
    if not all(isinstance(one, dict) and {"apiVersion", "kind", "metadata"} <= one.keys() for one in found):
        raise ConfigError(f"{name} holds something that is no object.", remedy="Correct it.", file=name)
    return found
