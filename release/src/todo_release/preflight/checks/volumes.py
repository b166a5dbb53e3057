"""Checks that claims get their volumes: of a StorageClass, or made beforehand; a rule of `references`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from todo_release.adapters.kubernetes.api_resources import STORAGE_CLASSES, VOLUME_CLAIMS, VOLUMES
from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot, UnreadError

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
TAKEN_PHASES = ("Bound", "Released", "Failed")  # of a volume that no new claim gets


@dataclass(frozen=True, slots=True)
class VolumeClaim:
    """A claim, or a claim template of a StatefulSet, and the names that its live claims have."""

    owner: RenderedObject
    spec: JsonObject
    field: YamlPath
    live_name: re.Pattern[str]

    @property
    def class_name(self) -> str | None:
        """Returns the StorageClass; None for the default one, empty where volumes are made by hand."""
        name = self.spec.get("storageClassName")
        return None if name is None else str(name)


def volumes_can_be_bound(snapshot: PreflightSnapshot) -> Findings:
    """Checks every claim; one that has its volume already is not judged."""
    for claim in _volume_claims(snapshot.manifest):
        name = claim.class_name
        if name == "" or (name and snapshot.manifest.find("StorageClass", name)):
            continue
        classes = {item["metadata"]["name"]: item for item in snapshot.in_namespace(STORAGE_CLASSES)}
        is_found = name in classes if name else any(map(_is_default, classes.values()))
        if is_found or _is_bound(snapshot, claim):
            continue
        try:
            if not _has_volume(snapshot, claim):
                yield _unbound(claim, classes)
        except UnreadError as unread:
            yield _unbound(claim, classes, unread)


def _unbound(
    claim: VolumeClaim, classes: dict[str, JsonObject], unread: UnreadError | None = None
) -> Finding:
    """Returns an error; where volumes may not be read, one may have been made by hand: a warning then."""
    name = claim.class_name
    problem = f"There is no StorageClass {name}" if name else "No StorageClass is the default"
    free = f"no free volume names {'it' if name else 'none'}, so the claim is never bound"
    by_hand = f"the claim is bound only if somebody has made a volume for it ({unread})"
    names = ", ".join(sorted(classes))
    remedy = f"Name a StorageClass that exists ({names})" if names else "Create a StorageClass"
    return (warning if unread else error)(
        claim.owner.subject,
        f"{problem}, and {by_hand if unread else free}.",
        f"{remedy}, or create the volume.",
        (*claim.field, "storageClassName"),
    )


def _is_default(storage_class: JsonObject) -> bool:
    return (storage_class["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"


def _is_bound(snapshot: PreflightSnapshot, claim: VolumeClaim) -> bool:
    """Returns whether the claim, or every claim that pods of the template have had, has its volume."""
    phases = [
        (item.get("status") or {}).get("phase")
        for item in snapshot.in_namespace(VOLUME_CLAIMS)
        if claim.live_name.fullmatch(item["metadata"]["name"])
    ]
    return bool(phases) and set(phases) == {"Bound"}


def _has_volume(snapshot: PreflightSnapshot, claim: VolumeClaim) -> bool:
    """Returns whether the chart or the cluster has a volume that the claim may get.

    Raises:
        UnreadError: The volumes of the cluster may not be listed.
    """
    rendered = (item.body for item in snapshot.manifest.of_kind("PersistentVolume"))
    return any(_suits(volume, claim) for volume in rendered) or any(
        _suits(volume, claim) for volume in snapshot.in_namespace(VOLUMES)
    )


def _suits(volume: JsonObject, claim: VolumeClaim) -> bool:
    """Returns whether a claim may be bound to a volume, sizes and access modes aside."""
    if (volume.get("status") or {}).get("phase") in TAKEN_PHASES:
        return False
    if (volume["spec"].get("storageClassName") or "") != (claim.class_name or ""):
        return False
    return claim.spec.get("volumeName") in {None, "", volume["metadata"]["name"]}


def _volume_claims(manifest: RenderedManifest) -> Iterator[VolumeClaim]:
    """Yields every claim and claim template."""
    for claim in manifest.of_kind("PersistentVolumeClaim"):
        yield VolumeClaim(claim, claim.spec, ("spec",), re.compile(re.escape(claim.name)))
    for stateful_set in manifest.of_kind("StatefulSet"):
        for index, template in enumerate(stateful_set.spec.get("volumeClaimTemplates") or ()):
            prefix = re.escape(f"{(template.get('metadata') or {}).get('name', '')}-{stateful_set.name}-")
            field = ("spec", "volumeClaimTemplates", index, "spec")
            yield VolumeClaim(stateful_set, template["spec"], field, re.compile(rf"{prefix}\d+"))
