"""Checks that the pods run the released images: by their repository and digest, and nothing else.

Otherwise a release would go through while something else runs: an older image that a values file of the
environment names, or one that a template fixes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject, leaves
from todo_release.artifacts.image_values import ValuePath
from todo_release.config.image_parts import image_part
from todo_release.config.model import FILE_NAME
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Place, YamlPath
from todo_release.environments.preview import UNBUILT_DIGEST
from todo_release.preflight.finding import Finding, Findings, error
from todo_release.preflight.released_images import ReleasedImage
from todo_release.preflight.snapshot import PreflightSnapshot

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
IMAGE_LINE = re.compile(r"^\s*(?:- *)?[\"']?image[\"']?:")
IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
SHOWN_DIGEST = re.compile(r"(@sha256:[0-9a-f]{12})[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """The image of one container, in an object of any kind; `container` is the container's name."""

    owner: RenderedObject
    field: YamlPath
    container: str
    reference: str


def released_images_run(snapshot: PreflightSnapshot) -> Findings:
    """Checks every image of release.yaml; a finding names the line that makes something else run."""
    every_hook = RenderedManifest((*snapshot.manifest.objects, *snapshot.other_hooks))
    used = list(container_images(every_hook))
    for name, image in snapshot.released.items():
        others = [
            use
            for use in used
            if image.has_repository(use.reference) and not image.is_named_by(use.reference)
        ]
        runs = any(image.is_named_by(use.reference) for use in used) or _is_named_elsewhere(snapshot, image)
        if not runs:
            others = others or _look_alikes(snapshot, name, used)
            if not others:
                yield _unused(snapshot, name, image)
        for use in others:
            yield _other_image(snapshot, name, image, use, used)


def container_images(manifest: RenderedManifest) -> Iterator[ContainerImage]:
    """Yields the image of every container in a chart, hooks and custom resources included."""
    for rendered in manifest.objects:
        if rendered.kind != "CustomResourceDefinition":
            yield from _in_value(rendered, rendered.body, ())


def _in_value(owner: RenderedObject, value: Any, path: YamlPath) -> Iterator[ContainerImage]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_value(owner, item, (*path, index))
    elif isinstance(value, dict):
        for key, inner in value.items():
            for index, item in enumerate(inner if key in CONTAINER_LISTS and isinstance(inner, list) else ()):
                if isinstance(item, dict) and item.get("image"):
                    field = (*path, key, index, "image")
                    yield ContainerImage(owner, field, str(item.get("name", "")), str(item["image"]))
            yield from _in_value(owner, inner, (*path, key))


def _is_named_elsewhere(snapshot: PreflightSnapshot, image: ReleasedImage) -> bool:
    """Returns whether a field outside of containers names the image, as in an operator's resource."""
    return any(
        isinstance(text, str) and image.is_named_by(text)
        for rendered in snapshot.manifest.objects
        for _, text in leaves(rendered.body)
    )


def _look_alikes(
    snapshot: PreflightSnapshot, name: str, used: Sequence[ContainerImage]
) -> list[ContainerImage]:
    """Returns the containers that were probably meant to run an image: by an override, or by their names."""
    image = snapshot.released[name]
    foreign = [
        use
        for use in used
        if not any(released.has_repository(use.reference) for released in snapshot.released.values())
    ]
    overrides = [override.text for override in image.overrides if override.text]
    return (
        [use for use in foreign if any(text in use.reference for text in overrides)]
        or [use for use in foreign if use.container == name]
        or [
            use for use in foreign if name in use.reference.partition("@")[0].rpartition("/")[2].split(":")[0]
        ]
    )


def _other_image(
    snapshot: PreflightSnapshot,
    name: str,
    image: ReleasedImage,
    use: ContainerImage,
    used: Sequence[ContainerImage],
) -> Finding:
    cause = (
        f"It runs {_shown(use.reference)} and not {_shown(str(image.reference))}, which is released as {name}"
    )
    for override in image.overrides:
        if override.place is not None and (override.text in use.reference or not override.text):
            places = [f"{'.'.join(other.path)}" for other in image.overrides]
            file = override.place.file
            return error(
                use.owner.subject,
                f"{cause}: {file} sets {' and '.join(places)}.",
                f"Remove that from {file}; a release writes the image into {snapshot.config.chart.values}.",
                use.field,
                override.place,
            )
    return error(
        use.owner.subject,
        f"{cause}: its template does not take the image from the values of {name}.",
        f"Write `image: {_expression(image.paths, use.owner.source)}` there.",
        use.field,
        _template_place(snapshot, use, used),
    )


def _unused(snapshot: PreflightSnapshot, name: str, image: ReleasedImage) -> Finding:
    release_file = yaml_positions.read(snapshot.files.get(FILE_NAME, ""), FILE_NAME)
    return error(
        f"Image/{name}",
        f"No pod of {snapshot.environment} runs {name}: no container has the image "
        f"{_shown(str(image.reference))}.",
        f"Write `image: {_expression(image.paths, '')}` in the template that is to run it. Where the "
        "environment does without it, accept that by preflight.waivers in release.yaml.",
        place=release_file.place(("images", name)),
    )


def _template_place(
    snapshot: PreflightSnapshot, use: ContainerImage, used: Sequence[ContainerImage]
) -> Place | None:
    """Returns the line of a template that writes an image; the first line where it cannot be told."""
    source = use.owner.source
    if not source:
        return None
    file = f"{snapshot.config.chart.path}/{source}"
    lines = snapshot.templates.get(source, "").splitlines()
    repository = use.reference.partition("@")[0]
    for text in (use.reference, repository, repository.rpartition(":")[0]):
        for number, line in enumerate(lines, start=1):
            if text and text in line:
                return Place(file, number, 1)
    numbers = [number for number, line in enumerate(lines, start=1) if IMAGE_LINE.match(line)]
    same = [other for other in used if other.owner.source == source]
    if len(numbers) == len(same):
        return Place(file, numbers[same.index(use)], 1)
    return Place(file, numbers[0] if numbers else 1, 1)


def _expression(paths: Sequence[ValuePath], source: str) -> str:
    """Returns what a template writes to name an image by its values."""
    match source.split("/"):
        case ["charts", subchart, *_]:
            paths = [path[1:] if path[0] == subchart else path for path in paths]
    if not all(IDENTIFIER.match(key) for path in paths for key in path):
        return f"the image that {', '.join('.'.join(path) for path in paths)} name"
    parts = {image_part(path[-1]): f"{{{{ .Values.{'.'.join(path)} }}}}" for path in paths}
    if "reference" in parts:
        return f'"{parts["reference"]}"'
    name = "/".join(parts[part] for part in ("registry", "repository") if part in parts) or "REPOSITORY"
    version = f"@{parts['digest']}" if "digest" in parts else f":{parts.get('tag', '')}"
    return f'"{name}{version}"'


def _shown(reference: str) -> str:
    """Returns a name with a short digest, or that it is to be built."""
    return SHOWN_DIGEST.sub(r"\1…", reference.replace(UNBUILT_DIGEST, "(to be built)"))
