"""Finds what release.yaml must say: the chart, images and their values, environments, contexts, registry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from todo_release.adapters.git import Repository
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.core import yaml_loader
from todo_release.errors import ClusterError
from todo_release.starter.chart_values import ImagePlace, first_host, image_places
from todo_release.starter.charts import find_chart
from todo_release.starter.dockerfiles import FoundImage, dns_label, find_images

VALUES_FILE = re.compile(r"values[-._](?P<name>[a-z0-9-]+)\.ya?ml")
NO_ENVIRONMENT = {"local", "example", "examples", "ci", "schema", "default", "defaults", "secret", "secrets"}
GITHUB = re.compile(r"github\.com[:/](?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(\.git)?/?$")
LAST = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEnvironment:
    """An environment: values files after the chart's own, a context and a URL, None where none was found."""

    name: str
    values: tuple[str, ...] = ()
    context: str | None = None
    url: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether it is the one that users work with."""
        return self.name.startswith("prod") or self.name == "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a repository holds; `missing` are sentences about what was not found."""

    name: str
    chart: str
    values: str
    builds_dependencies: bool
    images: Sequence[tuple[FoundImage, tuple[str, ...]]]
    environments: Sequence[FoundEnvironment]
    registry: str
    branch: str
    has_remote: bool
    github: str | None
    missing: Sequence[str] = field(default_factory=tuple)


def survey(
    repository: Repository,
    environ: Mapping[str, str],
    *,
    registry: str | None = None,
    context: str | None = None,
) -> Survey:
    """Looks through the files that git knows or would add, and through the kubeconfig; changes nothing.

    Raises:
        RepositoryError: this is no git repository.
    """
    root, missing = repository.root, list[str]()
    files = repository.files(["**"])
    chart = find_chart(files, lambda file: _load(root / file), missing)
    github = GITHUB.search(repository.remote_url("origin") or "")
    project = dns_label(chart.name or (github["name"] if github else "") or root.resolve().name)
    values = f"{chart.path}/values.yaml"
    if values not in files:
        missing.append(f"{values} does not exist; a release writes the images there.")
    places = list(image_places(_load(root / values)))
    images = _with_places(find_images(root, files, project), places, values, missing)
    if not images:
        missing.append("No Dockerfile was found; `images` describes one that does not exist.")
        images = [(FoundImage(project, "Dockerfile", ".", ("**",)), (f"{project}.image",))]
    return Survey(
        name=project,
        chart=chart.path,
        values=values,
        builds_dependencies=chart.builds_dependencies,
        images=images,
        environments=_environments(root, files, chart.path, _contexts(environ, context, missing), missing),
        registry=registry or _registry(places, github, project, missing),
        branch=repository.branch() or "main",
        has_remote=repository.remote_url("origin") is not None,
        github=f"{github['owner']}/{github['name']}" if github else None,
        missing=missing,
    )


def _with_places(
    images: Sequence[FoundImage], places: Sequence[ImagePlace], values: str, missing: list[str]
) -> list[tuple[FoundImage, tuple[str, ...]]]:
    """Returns each image with the dotted paths of its values.

    The first names it or is the only one; the others are of what it shares with others: a tag, a registry.
    """
    found: dict[str, str] = {}
    for image in images:
        named = [place for place in places if _plain(image.name) in _plain(place.path) and not place.shared]
        named = named or [place for place in places if _plain(image.name) in _plain(place.repository)]
        if named:
            found[image.name] = min(named, key=lambda place: len(place.path)).path
    rest = [place.path for place in places if place.path not in found.values() and not place.shared]
    for image in images:
        if image.name in found:
            continue
        if len(rest) == len(images) - len(found) == 1:
            found[image.name] = rest[0]
            continue
        found[image.name] = f"{image.name}.image"
        missing.append(
            f"Nothing in {values} names the image {image.name} ({image.dockerfile}): add "
            f'`{image.name}: {{image: {{repository: "", tag: "", digest: ""}}}}`, or correct `images`.'
        )
    lacking = {place.path for place in places if not place.has_version}
    shared = [place.shared for place in places if place.shared]
    return [
        (
            image,
            (found[image.name], *(shared[0] if len(shared) == 1 and found[image.name] in lacking else ())),
        )
        for image in images
    ]


def _environments(
    root: Path, files: Sequence[str], chart: str, contexts: Sequence[str], missing: list[str]
) -> list[FoundEnvironment]:
    by_name: dict[str, list[str]] = {}
    for file in files:
        match = VALUES_FILE.fullmatch(PurePosixPath(file).name)
        if match and match["name"] not in NO_ENVIRONMENT and "/charts/" not in file:
            by_name.setdefault(dns_label(match["name"]), []).append(file)
    if not by_name:
        missing.append("No values file of an environment, such as values-staging.yaml, was found.")
        by_name = {LAST: []}
    base = _load(root / chart / "values.yaml")
    found = []
    for name, values in by_name.items():
        hosts = [first_host(_load(root / file)) for file in values] + [first_host(base)]
        host = next(filter(None, hosts), None)
        if host is None:
            missing.append(f"No values name a host of {name}; correct its `url`.")
        fitting = [context for context in contexts if name in context] or list(contexts)
        if len(fitting) != 1:
            known = f"one of {', '.join(contexts)}" if contexts else "no kubeconfig has any"
            missing.append(f"Which context {name} is reached by is not known ({known}); correct `context`.")
        found.append(
            FoundEnvironment(
                name=name,
                values=tuple(values),
                context=fitting[0] if len(fitting) == 1 else None,
                url=f"https://{host}" if host else None,
            )
        )
    return sorted(found, key=lambda environment: (environment.is_last, environment.name))


def _contexts(environ: Mapping[str, str], context: str | None, missing: list[str]) -> list[str]:
    if context:
        return [context]
    try:
        return sorted(kubeconfig.contexts(environ))
    except ClusterError as error:
        missing.append(f"The kubeconfig could not be read: {error.problem}")
        return []


def _registry(
    places: Sequence[ImagePlace], github: re.Match[str] | None, project: str, missing: list[str]
) -> str:
    for place in places:
        parent = place.repository.rpartition("/")[0]
        if "." in parent.partition("/")[0] and "/" in parent:
            return parent
    if github:
        return f"ghcr.io/{github['owner']}/{github['name']}".lower()
    missing.append("Nothing names an image registry; correct `registry`.")
    return f"registry.example.com/{project}"


def _load(path: Path) -> Any:
    """Returns the content of a YAML file; None where there is none that can be read."""
    try:
        return yaml_loader.load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _text(document: Any, key: str) -> str:
    return str(document.get(key) or "") if isinstance(document, dict) else ""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
