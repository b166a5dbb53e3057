"""Writes release.yaml with comments, as a survey found things."""

import json
from collections.abc import Iterator

from todo_release.starter.dockerfiles import FoundImage
from todo_release.starter.survey import FoundEnvironment, Survey

CHART, VALUES = "chart", "chart/values.yaml"


def render(found: Survey) -> str:
    """Returns the text of release.yaml."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Survey) -> Iterator[str]:
    yield "# What the release engine must know about this application; mistakes are reported by line."
    for sentence in found.missing:
        yield f"# Not found: {' '.join(sentence.split())}"
    yield f"name: {found.name}"
    if found.branch != "main":
        yield f"branch: {_quoted(found.branch)}  # the branch that releases are made from"
    if found.has_remote:
        yield "remote: origin  # where commits and tags are pushed to"
    if found.github:
        yield f"# github: {found.github}  # with $GITHUB_TOKEN, every version gets a release page there"
    yield f"registry: {{repository: {_quoted(found.registry)}}}  # an image is pushed to <repository>/<name>"
    if parts := list(_chart(found)):
        yield f"chart: {{{', '.join(parts)}}}"
    yield "images:"
    for image, values in found.images:
        yield from _image(image, values, found)
    yield "environments:  # deployed to in this order"
    required: str | None = None
    for environment in found.environments:
        yield from _environment(environment, found, required)
        required = environment.name
    yield "smoke:  # what must be answered after a deployment"
    yield "  http:"
    yield "    - {path: /}"


def _chart(found: Survey) -> Iterator[str]:
    if (found.chart, found.values) != (CHART, VALUES):
        yield f"path: {_quoted(found.chart)}, values: {_quoted(found.values)}"
    if found.builds_dependencies:
        yield "dependencies: build"


def _image(image: FoundImage, values: tuple[str, ...], found: Survey) -> Iterator[str]:
    yield f"  {image.name}:"
    yield f"    context: {_quoted(image.context)}  # paths in the Dockerfile are relative to it"
    yield f"    dockerfile: {_quoted(image.dockerfile)}"
    yield f"    inputs: {_list(image.inputs)}  # all files that the image is made of, and nothing else"
    if "**" in image.inputs:
        excluded = (found.chart, "release.yaml", "changelog.d", "CHANGELOG.md")
        yield f"    exclude: {_list(excluded)}  # what a release writes cannot be an input"
    place = values[0] if len(values) == 1 else _list(values)
    yield f"    values: {place}  # where the values name the image"


def _environment(environment: FoundEnvironment, found: Survey, required: str | None) -> Iterator[str]:
    name = found.name if environment.is_last else f"{found.name}-{environment.name}"
    context = environment.context or f"context-of-{environment.name}"
    yield f"  {environment.name}:"
    yield f"    context: {_quoted(context)}  # of the kubeconfig"
    yield f"    namespace: {name}"
    yield f"    release: {name}"
    yield f"    values: {_list((found.values, *environment.values))}"
    yield f"    url: {environment.url or f'https://{environment.name}.{found.name}.example.com'}"
    if required:
        yield f"    requires: {required}  # gets only what was verified there"
    if environment.is_last:
        yield "    confirm: true  # a person agrees before"


def _list(items: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, items))}]"


def _quoted(text: str) -> str:
    """Returns a text as YAML: as it is where that is safe, otherwise in double quotes."""
    is_plain = text and all(character.isalnum() or character in "/._-" for character in text)
    is_plain = is_plain and text[0].isalpha() and text.lower() not in {"y", "n", "yes", "no", "on", "off"}
    is_word = text.lower() in {"true", "false", "null"}
    return text if is_plain and not is_word else json.dumps(text)
