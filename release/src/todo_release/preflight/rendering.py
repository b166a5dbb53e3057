"""Renders the chart as a release will apply it: of a tag, of a new version, or of the work tree."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from todo_release.adapters.helm.definitions import Definition, read_definitions
from todo_release.adapters.helm.record_size import measure_record
from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.artifacts import chart, chart_dependencies, images, release_commit, versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import Deployment, deployment_from_folder, prepare_deployment
from todo_release.config.model import FILE_NAME, Config, RegistrySettings
from todo_release.core import text_file, yaml_loader
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.preview import UNBUILT_DIGEST
from todo_release.errors import RegistryError
from todo_release.preflight.released_images import ReleasedImage, find_released_images
from todo_release.preflight.value_positions import ReleaseFileValues, ValuePositions

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedChart:
    """What would be applied to one environment.

    `commit` is the tag's, None when the version has no tag. `released` are the images of release.yaml by
    name, `templates` the texts of the templates that made the objects, by their path in the chart.
    `definitions` are in its `crds` folders. `record_bytes` is the size of Helm's record, 0 if it is small.
    """

    version: str
    commit: str | None
    text: str
    manifest: RenderedManifest
    positions: ValuePositions
    topic_prefix: str | None
    released: Mapping[str, ReleasedImage]
    templates: Mapping[str, str]
    definitions: tuple[Definition, ...]
    record_bytes: int


class ChartRenderer:
    """Renders one version for several environments; looks images up once."""

    def __init__(
        self,
        context: ReleaseContext,
        registry: "Registry",
        version: str | None,
        real_registry: RegistrySettings | None = None,
    ) -> None:
        """`version` None is the work tree as it is, with edits that are not committed.

        `real_registry` is that of a real release, where `registry` stands in for it.
        """
        self._context = context
        self._registry = registry
        self._version = version
        self._real_registry = real_registry
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
            names = config.environment(environment).values
            if len(deployment.values) > len(names):
                names = (config.chart.values, *names)
            texts = [
                (name, text_file.read(path, name))
                for name, path in zip(names, deployment.values, strict=True)
            ]
            manifest = parse_manifest(text)
            values_text = dict(texts).get(config.chart.values) or _chart_values(config, deployment)
            templates = _templates(manifest, deployment.chart)
            definitions = read_definitions(deployment.chart)
            record_bytes = measure_record(deployment.chart, text, deployment.overlay)
        release_file = ReleaseFileValues(
            text=text_file.read(self._context.repository.root / FILE_NAME, FILE_NAME),
            environment=environment,
            names=tuple(config.environment(environment).set),
        )
        positions = ValuePositions(config.chart.path, texts, deployment.overlay, release_file)
        return RenderedChart(
            version=deployment.version,
            commit=self._commit,
            text=text,
            manifest=manifest,
            positions=positions,
            topic_prefix=_topic_prefix(config, texts, deployment.overlay),
            released=find_released_images(config, values_text, positions, self._real_registry),
            templates=templates,
            definitions=definitions,
            record_bytes=record_bytes,
        )

    @cached_property
    def images(self) -> Mapping[str, ImageReference]:
        """Returns the images of the work tree; those missing in the registry have a placeholder digest."""
        repository, config = self._context.repository, self._context.config
        inputs = images.read_all_inputs(repository, config)

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
        tag = versions.tag_of(versions.parse(self._version), self._context.config.tag_prefix)
        return self._context.repository.tags().get(tag)

    @contextmanager
    def _work_tree(self, environment: str) -> Iterator[Deployment]:
        """Yields the work tree, its values naming the images as a release would write them.

        What the environment's own values set wins over them, as it would in a release.
        """
        from todo_release.artifacts import chart_edits  # slow: ruamel.yaml costs 50 ms

        config, root = self._context.config, self._context.repository.root
        chart_file, file = config.chart.file, config.chart.values
        version = chart.read_version(text_file.read(root / chart_file, chart_file), chart_file)
        chart_dependencies.check_work_tree(config.chart, root / config.chart.path)
        deployment = deployment_from_folder(root, config, environment, version, {})
        text = text_file.read(root / file, file)
        edited = chart_edits.set_images(text, file, config, self.images, f"{config.tag_prefix}{version}")
        with TemporaryDirectory(prefix=f"{config.name}-values-") as folder:
            path = Path(folder) / PurePath(file).name
            path.write_text(edited, encoding="utf-8", newline="")
            values = tuple(path if given == root / file else given for given in deployment.values)
            if path not in values and file == f"{config.chart.path}/values.yaml":
                values = (path, *values)
            yield replace(deployment, values=values)

    @contextmanager
    def _prepared(self, environment: str) -> Iterator[Deployment]:
        repository, config = self._context.repository, self._context.config
        if self._version is None:
            with self._work_tree(environment) as deployment:
                yield deployment
            return
        commit, edits = self._commit, {}
        if commit is None:
            edits = release_commit.compute_edits(repository, config, self._version, self.images)
        start = commit or repository.head()
        with prepare_deployment(
            repository, config, environment, self._version, start, edits=edits
        ) as deployment:
            yield deployment


def _chart_values(config: Config, deployment: Deployment) -> str:
    """Returns the values file that names the images, where the environment does not list it."""
    folder = deployment.chart.parents[len(PurePath(config.chart.path).parts) - 1]
    return text_file.read(folder / config.chart.values, config.chart.values)


def _templates(manifest: RenderedManifest, folder: Path) -> dict[str, str]:
    """Returns the templates that made the objects; those of packed subcharts are left out."""
    paths = {rendered.source: folder / rendered.source for rendered in manifest.objects if rendered.source}
    return {
        source: path.read_text(encoding="utf-8", errors="replace")
        for source, path in paths.items()
        if path.is_file()
    }


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
