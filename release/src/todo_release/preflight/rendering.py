"""Renders the chart as a release will apply it: of a tag, of a new version, or of the work tree."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.artifacts import chart, images, release_commit, versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import Deployment, deployment_from_folder, prepare_deployment
from todo_release.config.model import FILE_NAME, Config
from todo_release.core import yaml_loader
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.preview import UNBUILT_DIGEST
from todo_release.errors import RegistryError
from todo_release.preflight.value_positions import ReleaseFileValues, ValuePositions

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedChart:
    """What would be applied to one environment; `commit` is the tag's, None when the version has no tag."""

    version: str
    commit: str | None
    text: str
    manifest: RenderedManifest
    positions: ValuePositions
    topic_prefix: str | None


class ChartRenderer:
    """Renders one version for several environments; looks images up once."""

    def __init__(self, context: ReleaseContext, registry: "Registry", version: str | None) -> None:
        """`version` None is the work tree as it is, with edits that are not committed."""
        self._context = context
        self._registry = registry
        self._version = version
        self.registry_errors: list[RegistryError] = []

    def render(self, environment: str) -> RenderedChart:
        """Renders for one environment.

        Raises:
            HelmError: the chart cannot be rendered.
            ConfigError: a file lacks what a release edits, or does not exist.
        """
        config = self._context.config
        with self._prepared(environment) as deployment:
            text = self._context.connect(environment).helm.template(
                deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
            )
            texts = [
                (name, path.read_text(encoding="utf-8"))
                for name, path in zip(config.environment(environment).values, deployment.values, strict=True)
            ]
        release_file = ReleaseFileValues(
            text=(self._context.repository.root / FILE_NAME).read_text(encoding="utf-8"),
            environment=environment,
            names=tuple(config.environment(environment).set),
        )
        return RenderedChart(
            version=deployment.version,
            commit=self._commit,
            text=text,
            manifest=parse_manifest(text),
            positions=ValuePositions(config.chart.path, texts, deployment.overlay, release_file),
            topic_prefix=_topic_prefix(config, texts, deployment.overlay),
        )

    @cached_property
    def images(self) -> Mapping[str, ImageReference]:
        """Returns the images of the work tree; those missing in the registry have a placeholder digest."""
        repository, config = self._context.repository, self._context.config
        inputs = {name: images.read_image_inputs(repository, config, name) for name in config.images}

        def digest(name: str) -> str:
            try:
                return self._registry.digest(config.registry.path(name), inputs[name].tag) or UNBUILT_DIGEST
            except RegistryError as problem:
                self.registry_errors.append(problem)
                return UNBUILT_DIGEST

        with ThreadPoolExecutor(len(inputs)) as pool:
            digests = dict(zip(inputs, pool.map(digest, inputs), strict=True))
        return {
            name: ImageReference(config.registry.reference(name), image_inputs.tag, digests[name])
            for name, image_inputs in inputs.items()
        }

    @cached_property
    def _commit(self) -> str | None:
        if self._version is None:
            return None
        return self._context.repository.tags().get(versions.tag_of(versions.parse(self._version)))

    @contextmanager
    def _prepared(self, environment: str) -> Iterator[Deployment]:
        repository, config = self._context.repository, self._context.config
        if self._version is None:
            file = config.chart.file
            version = chart.read_version((repository.root / file).read_text(encoding="utf-8"), file)
            yield deployment_from_folder(repository.root, config, environment, version, self.images)
            return
        commit, edits = self._commit, {}
        if commit is None:
            edits = release_commit.compute_edits(repository, config, self._version, self.images)
        start = commit or repository.head()
        with prepare_deployment(
            repository, config, environment, self._version, start, edits=edits
        ) as deployment:
            yield deployment


def _topic_prefix(config: Config, texts: Sequence[tuple[str, str]], overlay: Mapping[str, Any]) -> str | None:
    """Returns the prefix of topics in the values; None when release.yaml does not say where it stands."""
    if config.preflight.topic_prefix is None:
        return None
    prefix = ""
    for values in [*(yaml_loader.load(text) for _, text in texts), overlay]:
        value: Any = values
        for part in config.preflight.topic_prefix.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        prefix = prefix if value is None else str(value)
    return prefix
