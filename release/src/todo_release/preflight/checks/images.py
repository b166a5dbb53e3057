"""Every image is there for the nodes' platform, can be pulled by the cluster, and is named by its digest.

The registries were asked beforehand (`looks`); what they said is in the picture.
"""

from collections.abc import Iterator

from todo_release.adapters.kubernetes.manifest import Manifest, Rendered
from todo_release.adapters.registry.image_name import host_of
from todo_release.core.yaml_positions import Path
from todo_release.environments.preview import TO_BE_BUILT
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Findings, error, note, warning
from todo_release.preflight.snapshot import PreflightSnapshot, UnreadError


def _can_be_pulled(snapshot: PreflightSnapshot) -> Findings:
    """One finding an image; a registry of somebody else that does not answer now is only worth a note."""
    if snapshot.images is None:
        raise UnreadError("the pull secrets of the namespace could not be read")
    if snapshot.registry_problem:
        yield warning(
            snapshot.config.registry.host,
            f"Which images must still be built could not be seen: {snapshot.registry_problem}",
            "Without the registry there is no release; look at it first.",
        )
    told = set()
    for owner, field, reference in images_of(snapshot.manifest):
        look = snapshot.images.get(reference)
        if look is None or reference in told:
            continue
        told.add(reference)
        is_own = host_of(reference) == snapshot.config.registry.host
        if look.missing:
            yield error(
                owner.subject,
                look.missing,
                "Push the image, or correct its name in the values.",
                field,
            )
        elif look.denied:
            yield error(
                owner.subject,
                look.denied,
                f"Renew the pull secret of namespace {snapshot.namespace}, or make the image public.",
                field,
            )
        elif look.unknown:
            say = warning if is_own else note
            yield say(
                owner.subject, f"{reference} could not be looked up: {look.unknown}", "Look by hand.", field
            )


def _are_pinned(snapshot: PreflightSnapshot) -> Findings:
    """A tag can be moved: what was tested is then not what runs, and the same name on two nodes is two
    images.
    """
    told = set()
    for owner, field, reference in images_of(snapshot.manifest):
        if "@sha256:" in reference or reference in told:
            continue
        told.add(reference)
        name, _, tag = reference.rpartition("/")[2].partition(":")
        floats = f"the tag {tag}" if tag else "no tag, so latest,"
        yield warning(
            owner.subject,
            f"{name} is named by {floats} and not by its digest.",
            "Write repository@sha256:... of the image that was tested.",
            field,
        )


def images_of(manifest: Manifest) -> Iterator[tuple[Rendered, Path, str]]:
    """(object, field, reference) of every image that exists already; those still to be built are left out."""
    for template in manifest.pods():
        for field, container in template.containers():
            reference = str(container.get("image") or "")
            if reference and TO_BE_BUILT not in reference:
                yield template.owner, (*field, "image"), reference


CHECK = Check(id="images", title="images can be pulled", rules=(_can_be_pulled, _are_pinned))
