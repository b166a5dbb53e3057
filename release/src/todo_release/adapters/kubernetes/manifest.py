"""A rendered chart as objects, each with the template it comes from, and the pods that they make."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from todo_release.adapters.kubernetes.objects import KINDS, JsonObject, WorkloadRef
from todo_release.core.yaml_positions import Path

SOURCE = re.compile(r"^# Source: [^/\n]+/(\S+)$", re.MULTILINE)
BOUNDARY = re.compile(r"^---\s*$", re.MULTILINE)
HOOK, WEIGHT, DELETE_POLICY = "helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"
BEFORE = ("pre-install", "pre-upgrade")
DAPR = "dapr.io/"
TEMPLATES: Mapping[str, Path] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is ten times as fast


@dataclass(frozen=True, slots=True)
class Rendered:
    """One object of the chart; `source` is the template's path in the chart, empty when Helm did not say."""

    body: JsonObject
    source: str = ""

    @property
    def kind(self) -> str:
        """`Deployment`."""
        return str(self.body["kind"])

    @property
    def api_version(self) -> str:
        """`apps/v1`."""
        return str(self.body["apiVersion"])

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return str(self.body["metadata"]["name"])

    @property
    def subject(self) -> str:
        """`Deployment/todo-app-backend`, the form kubectl takes."""
        return f"{self.kind}/{self.name}"

    @property
    def spec(self) -> JsonObject:
        """`spec`, empty when there is none."""
        return self.body.get("spec") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """`metadata.annotations`."""
        return self.body["metadata"].get("annotations") or {}

    @property
    def hooks(self) -> tuple[str, ...]:
        """The moments at which Helm runs it, empty for a plain object."""
        return tuple(part.strip() for part in self.annotations.get(HOOK, "").split(",") if part.strip())

    @property
    def is_early(self) -> bool:
        """True for a hook that runs before anything of the chart is applied."""
        return any(hook in BEFORE for hook in self.hooks)


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The pods that an object makes; `field` is where the template stands in it."""

    owner: Rendered
    field: Path
    body: JsonObject

    @property
    def spec(self) -> JsonObject:
        """The pod's `spec`."""
        return self.body.get("spec") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that its pods get."""
        return (self.body.get("metadata") or {}).get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations that its pods get."""
        return (self.body.get("metadata") or {}).get("annotations") or {}

    @property
    def has_sidecar(self) -> bool:
        """True when Dapr's injector is to add a daprd."""
        return str(self.annotations.get(f"{DAPR}enabled", "")).lower() in {"true", "1", "yes", "y", "on"}

    def containers(self) -> Iterator[tuple[Path, JsonObject]]:
        """Every container with its field, those that run first first."""
        for group in ("initContainers", "containers"):
            for index, container in enumerate(self.spec.get(group) or ()):
                yield (*self.field, "spec", group, index), container


@dataclass(frozen=True, slots=True)
class Manifest:
    """All objects that a release applies, hooks included; Helm's test hooks are not among them."""

    objects: tuple[Rendered, ...]

    def of_kind(self, *kinds: str) -> Sequence[Rendered]:
        """The objects of some kinds."""
        return [one for one in self.objects if one.kind in kinds]

    def find(self, kind: str, name: str) -> Rendered | None:
        """One object by its name."""
        return next((one for one in self.objects if (one.kind, one.name) == (kind, name)), None)

    def pods(self) -> Iterator[PodTemplate]:
        """The pod template of every object that has one."""
        for one in self.objects:
            path = TEMPLATES.get(one.kind)
            if path is not None:
                yield PodTemplate(one, path, part_of(one.body, path) or {})


def parse(text: str) -> Manifest:
    """Read what `helm template` printed, or what Helm wrote down about a revision."""
    found = []
    for document in BOUNDARY.split(text):
        body = yaml.load(document, Loader=LOADER)  # noqa: S506  it is the safe loader, in C
        if not body:
            continue
        source = SOURCE.search(document)
        one = Rendered(body, source[1] if source else "")
        if not any(hook.startswith("test") for hook in one.hooks):
            found.append(one)
    return Manifest(tuple(found))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar in a value with its path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def part_of(value: Any, path: Path) -> Any:
    """The value at a path in an object, None where there is none."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


TEST_HOOK = "test"


def workloads_of(manifest: str) -> list[WorkloadRef]:
    """The workloads in a rendered chart, in its order; hooks are marked, Helm's test hooks left out."""
    found = []
    for document in yaml.safe_load_all(manifest):
        if not document or document.get("kind") not in KINDS:
            continue
        meta = document["metadata"]
        hook = (meta.get("annotations") or {}).get("helm.sh/hook", "")
        if not hook.startswith(TEST_HOOK):
            found.append(WorkloadRef(document["kind"], meta["name"], is_hook=bool(hook)))
    return found
