"""Parses rendered charts: objects, each with the template it comes from, and the pods that they create.

This is the engine's only parser of manifests that Helm rendered or recorded.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from todo_release.adapters.kubernetes.api_resources import Resource, resource_of
from todo_release.adapters.kubernetes.objects import WORKLOAD_KINDS, JsonObject, WorkloadRef
from todo_release.core import yaml_loader
from todo_release.core.yaml_positions import YamlPath, dotted
from todo_release.errors import HelmError

SOURCE = re.compile(r"^# Source: [^/\n]+/(\S+)$", re.MULTILINE)
BOUNDARY = re.compile(r"^---\s*$", re.MULTILINE)
HOOK, DELETE_POLICY = "helm.sh/hook", "helm.sh/hook-delete-policy"
# Where the texts of metadata stand below an object.
TEXT_DEPTHS = {"name": 2, "generateName": 2, "namespace": 2, "labels": 3, "annotations": 3}
EARLY_HOOKS = ("pre-install", "pre-upgrade")
DAPR_PREFIX = "dapr.io/"
POD_TEMPLATE_PATHS: Mapping[str, YamlPath] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
INSTALL_HOOKS = frozenset({"pre-install", "post-install"})
UPGRADE_HOOKS = frozenset({"pre-upgrade", "post-upgrade"})
BUILTIN_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization",
        "certificates", "coordination", "discovery", "events", "flowcontrol.apiserver", "internal.apiserver",
        "networking", "node", "rbac.authorization", "resource", "scheduling", "storage", "storagemigration",
    )
)  # fmt: skip
RELEASE_HOOKS = INSTALL_HOOKS | UPGRADE_HOOKS


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One object of a chart; `source` is its template's path in the chart, empty when Helm did not say."""

    body: JsonObject
    source: str = ""

    @property
    def kind(self) -> str:
        """Returns `Deployment`."""
        return str(self.body["kind"])

    @property
    def api_version(self) -> str:
        """Returns `apps/v1`."""
        return str(self.body["apiVersion"])

    @property
    def name(self) -> str:
        """Returns `metadata.name`; for an object that the API server names, the beginning of its name."""
        metadata = self.body["metadata"]
        return str(metadata["name"] if "name" in metadata else metadata["generateName"])

    @property
    def namespace(self) -> str:
        """Returns `metadata.namespace`; empty when the object is in the release's namespace or in none."""
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def is_name_generated(self) -> bool:
        """True when the API server completes the name of each new object."""
        return "name" not in self.body["metadata"]

    @property
    def subject(self) -> str:
        """Returns `Deployment/shop-web`, the form that kubectl takes."""
        return f"{self.kind}/{self.name}"

    @property
    def spec(self) -> JsonObject:
        """Returns `spec`, empty when there is none."""
        return self.body.get("spec") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Returns `metadata.annotations`, empty when there are none."""
        return self.body["metadata"].get("annotations") or {}

    @property
    def resource(self) -> Resource:
        """Returns the list of the API server that the object is in."""
        return resource_of(self.api_version, self.kind)

    @property
    def hooks(self) -> tuple[str, ...]:
        """Returns the hooks at which Helm runs the object; none for a plain object."""
        events = str(self.annotations.get(HOOK) or "").split(",")
        return tuple(event.strip().lower() for event in events if event.strip())

    @property
    def is_early(self) -> bool:
        """True for a hook that runs before any object of the chart is applied."""
        return any(hook in EARLY_HOOKS for hook in self.hooks)


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The template of the pods that an object creates; `field` is the template's path in the object."""

    owner: RenderedObject
    field: YamlPath
    body: JsonObject

    @property
    def spec(self) -> JsonObject:
        """Returns the pod's `spec`."""
        return self.body.get("spec") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """Returns the labels that its pods get."""
        return (self.body.get("metadata") or {}).get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Returns the annotations that its pods get."""
        return (self.body.get("metadata") or {}).get("annotations") or {}

    @property
    def has_sidecar(self) -> bool:
        """True when Dapr's injector adds a sidecar."""
        enabled = str(self.annotations.get(f"{DAPR_PREFIX}enabled", "")).lower()
        return enabled in {"true", "1", "yes", "y", "on"}

    def containers(self) -> Iterator[tuple[YamlPath, JsonObject]]:
        """Yields every container with its path; init containers come first."""
        for group in ("initContainers", "containers"):
            for index, container in enumerate(self.spec.get(group) or ()):
                yield (*self.field, "spec", group, index), container


@dataclass(frozen=True, slots=True)
class RenderedManifest:
    """All objects that a release applies, with those hooks that run in a release."""

    objects: tuple[RenderedObject, ...]

    def with_hooks(self, events: frozenset[str]) -> "RenderedManifest":
        """Returns the plain objects, and the hooks for one of these events."""
        kept = (item for item in self.objects if not item.hooks or events.intersection(item.hooks))
        return RenderedManifest(tuple(kept))

    def of_kind(self, *kinds: str) -> Sequence[RenderedObject]:
        """Returns the objects of some kinds."""
        return [rendered for rendered in self.objects if rendered.kind in kinds]

    def find(self, kind: str, name: str) -> RenderedObject | None:
        """Returns one object by its name; None when there is none."""
        return next((item for item in self.objects if (item.kind, item.name) == (kind, name)), None)

    def pods(self) -> Iterator[PodTemplate]:
        """Yields the pod template of every object that has one."""
        for rendered in self.objects:
            path = POD_TEMPLATE_PATHS.get(rendered.kind)
            if path is not None:
                yield PodTemplate(rendered, path, part_of(rendered.body, path) or {})


def parse_manifest(text: str) -> RenderedManifest:
    """Parses what `helm template` printed, or what Helm recorded about a revision.

    Hooks that run only when a release is tested, rolled back or deleted are left out.

    Raises:
        HelmError: A template rendered something that is not YAML, or not an object of Kubernetes.
    """
    objects = []
    for document in BOUNDARY.split(text):
        source = SOURCE.search(document)
        for body in _parse_document(document, source):
            rendered = RenderedObject(body, source[1] if source else "")
            objects.append(rendered)
    return RenderedManifest(tuple(objects)).with_hooks(RELEASE_HOOKS)


def _parse_document(document: str, source: re.Match[str] | None) -> list[JsonObject]:
    """Returns the object of a document, or all items of a list: Helm applies each as if it stood alone."""
    template = source[1] if source else "A template"
    try:
        body = yaml_loader.load(document)
    except yaml.YAMLError as error:
        problem, line, _ = yaml_loader.locate_error(error, document)
        first_line = document.count("\n", 0, source.end()) + 2 if source else 1
        where = f" in line {max(line - first_line + 1, 1)} of what it renders" if line else ""
        raise HelmError(
            f"{template} does not render valid YAML: {problem}{where}.",
            remedy="Correct the template or its values; `helm template --debug` prints what it renders.",
        ) from error
    return list(_objects(body, template)) if body else []


def _objects(body: Any, template: str) -> Iterator[JsonObject]:
    if is_list(body):
        kind = str(body["kind"]).removesuffix("List")
        for item in body["items"] or ():
            # The items of a list of one kind, such as ConfigMapList, need not repeat it.
            named = {"apiVersion": body["apiVersion"], "kind": kind} if kind else {}
            yield from _objects({**named, **item} if isinstance(item, Mapping) else item, template)
        return
    missing = "is not a mapping"
    if isinstance(body, dict):
        missing = next(
            (f"has no {key}" for key in ("apiVersion", "kind", "metadata") if not body.get(key)), ""
        )
        metadata = body.get("metadata")
        if not missing and not (
            isinstance(metadata, dict)
            and any(metadata.get(key) not in (None, "") for key in ("name", "generateName"))
        ):
            missing = "has no metadata.name"
    if missing:
        raise HelmError(
            f"{template} renders something that is not an object of Kubernetes: it {missing}.",
            remedy="Correct the template or its values; `helm template --debug` prints what it renders.",
        )
    yield dict(body)


def check_metadata(text: str) -> None:
    """Checks that names, labels and annotations are texts, as Kubernetes reads them.

    Raises:
        HelmError: One is not; Helm says that without the template and the object.
    """
    for rendered in parse_manifest(text).objects:
        for path, value in leaves(rendered.body["metadata"], ("metadata",)):
            depth = TEXT_DEPTHS.get(str(path[1]))
            if depth and value is not None and not (len(path) == depth and isinstance(value, str)):
                raise HelmError(
                    f"{rendered.source or 'A template'} renders {dotted(path)} of {rendered.subject} as "
                    f"{json.dumps(value)}, which is no text.",
                    remedy="Put it in quotes: `{{ VALUE | quote }}`.",
                )


def is_list(body: Any) -> bool:
    """Returns True for `kind: List` and lists of one kind: they stand for their items."""
    return isinstance(body, dict) and str(body.get("kind", "")).endswith("List") and "items" in body


def leaves(value: Any, path: YamlPath = ()) -> Iterator[tuple[YamlPath, Any]]:
    """Yields every scalar in a value with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def part_of(value: Any, path: YamlPath) -> Any:
    """Returns the value at a path in an object; None where there is none."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def workloads_of(manifest: str, namespace: str) -> list[WorkloadRef]:
    """Returns the workloads in a rendered chart in its order; hooks are marked, test hooks are left out.

    Those in another than the release's `namespace` name theirs.
    """
    return [_ref(item, namespace) for item in parse_manifest(manifest).of_kind(*WORKLOAD_KINDS)]


def namespaces_of(manifest: str, namespace: str) -> tuple[str, ...]:
    """Returns the release's `namespace`, then the others that workloads of a rendered chart are in."""
    others = {ref.namespace for ref in workloads_of(manifest, namespace)}
    return (namespace, *sorted(others - {"", namespace}))


def awaited_objects_of(manifest: str, namespace: str) -> list[WorkloadRef]:
    """Returns what a rollout waits for: the workloads, and custom resources, which may have conditions."""
    custom = [item for item in parse_manifest(manifest).objects if not item.hooks and _is_custom(item)]
    return [
        *workloads_of(manifest, namespace),
        *(replace(_ref(item, namespace), api_version=item.api_version) for item in custom),
    ]


def _ref(item: RenderedObject, namespace: str) -> WorkloadRef:
    return WorkloadRef(
        item.kind,
        item.name,
        "" if item.namespace == namespace else item.namespace,
        is_hook=bool(item.hooks),
        is_name_generated=item.is_name_generated,
    )


def _is_custom(item: RenderedObject) -> bool:
    group, _, version = item.api_version.rpartition("/")
    return bool(version) and "." in group and group not in BUILTIN_GROUPS
