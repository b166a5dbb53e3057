"""Checks that the released images run, and that every image exists, can be pulled and has a digest.

`lookups` has asked the registries before; their answers are in the snapshot.
"""

from collections.abc import Iterator

from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject
from todo_release.adapters.registry.image_name import host_of
from todo_release.core.yaml_positions import YamlPath
from todo_release.environments.preview import UNBUILT_DIGEST
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks.released_images import released_images_run
from todo_release.preflight.finding import Findings, error, note, warning
from todo_release.preflight.snapshot import PreflightSnapshot, UnreadError

ImageUse = tuple[RenderedObject, YamlPath, str]


def _can_be_pulled(snapshot: PreflightSnapshot) -> Findings:
    """Checks each image once; a foreign registry that does not answer is only worth one note."""
    if snapshot.images is None:
        raise UnreadError("the pull secrets of the namespace could not be read")
    host = snapshot.config.registry.host
    if snapshot.registry_problem:
        yield warning(
            host,
            f"It is not known which images must still be built: {snapshot.registry_problem}",
            f"Without the registry there is no release; log in first: `docker login {host}`.",
        )
    checked = set()
    unknown: dict[str, list[ImageUse]] = {}
    for owner, field, reference in images_of(snapshot.manifest):
        lookup = snapshot.images.get(reference)
        if lookup is None or reference in checked:
            continue
        checked.add(reference)
        if lookup.missing:
            remedy = "Push the image, or correct its name in the values."
            yield error(owner.subject, lookup.missing, remedy, field)
        elif lookup.denied:
            remedy = f"Renew the pull secret of namespace {snapshot.namespace}, or make the image public."
            yield error(owner.subject, lookup.denied, remedy, field)
        elif lookup.unknown:
            unknown.setdefault(lookup.unknown, []).append((owner, field, reference))
    for reason, uses in unknown.items():
        owner, field, reference = uses[0]
        finding = warning if host_of(reference) == host else note
        yield finding(
            owner.subject,
            f"{' and '.join(image for _, _, image in uses)} could not be looked up: {reason}",
            f"Check by hand: `docker buildx imagetools inspect {reference}`.",
            field,
        )


def _have_digests(snapshot: PreflightSnapshot) -> Findings:
    """Checks that images have digests: a tag can be moved, and then two nodes run two different images."""
    checked = set()
    for owner, field, reference in images_of(snapshot.manifest):
        if "@sha256:" in reference or reference in checked:
            continue
        checked.add(reference)
        own = next((name for name, image in snapshot.released.items() if image.is_named_by(reference)), None)
        if own is not None:
            yield warning(
                owner.subject,
                f"The values name {own} by a tag only ({reference}): what staging verified can be replaced "
                "in the registry before production gets it.",
                f'Write `digest: ""` beside the tag in {snapshot.config.chart.values}, and name the image by '
                "it in the template.",
                field,
            )
            continue
        if any(image.has_repository(reference) for image in snapshot.released.values()):
            continue  # an error already: it is not the released image
        name, _, tag = reference.rpartition("/")[2].partition(":")
        version = f"the tag {tag}" if tag else "no tag, so latest,"
        yield warning(
            owner.subject,
            f"{name} is named by {version} and not by its digest.",
            "Write repository@sha256:... of the image that was tested.",
            field,
        )


def images_of(manifest: RenderedManifest) -> Iterator[ImageUse]:
    """Yields (object, field, reference) of every image, except for images that are still to be built."""
    for template in manifest.pods():
        for field, container in template.containers():
            reference = str(container.get("image") or "")
            if reference and UNBUILT_DIGEST not in reference:
                yield template.owner, (*field, "image"), reference


CHECK = PreflightCheck(
    id="images", title="images can be pulled", rules=(released_images_run, _can_be_pulled, _have_digests)
)
