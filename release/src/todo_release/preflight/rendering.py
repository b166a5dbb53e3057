"""The chart as a release will apply it, rendered beforehand: of a tag, of a version to be, or of the work
tree.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from todo_release.adapters.kubernetes.manifest import LOADER, Manifest, parse
from todo_release.artifacts import chart, images, release_commit, versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import Deployment, of_folder, prepare
from todo_release.config.model import FILE_NAME, Config
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.preview import TO_BE_BUILT
from todo_release.errors import RegistryError
from todo_release.preflight.value_positions import Places, Settings

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What would be applied to one environment. `commit` is that of the version's tag, None while there is
    none.
    """

    version: str
    commit: str | None
    text: str
    manifest: Manifest
    places: Places
    topic_prefix: str | None


class Drafter:
    """Renders one version for several environments; images are looked up once."""

    def __init__(self, context: ReleaseContext, registry: "Registry", version: str | None) -> None:
        """`version` None is the work tree as it is, edits that are not committed included."""
        self._operator = context
        self._registry = registry
        self._version = version
        self.problems: list[RegistryError] = []

    def draft(self, environment: str) -> Draft:
        """Render for one environment.

        Raises:
            HelmError: the chart cannot be rendered.
            ConfigError: a file lacks what is to be edited, or does not exist.
        """
        config = self._operator.config
        with self._prepared(environment) as deployment:
            text = self._operator.reach(environment).helm.template(
                deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
            )
            texts = [
                (name, path.read_text(encoding="utf-8"))
                for name, path in zip(config.environment(environment).values, deployment.values, strict=True)
            ]
        settings = Settings(
            text=(self._operator.repository.root / FILE_NAME).read_text(encoding="utf-8"),
            environment=environment,
            names=tuple(config.environment(environment).set),
        )
        return Draft(
            version=deployment.version,
            commit=self._commit,
            text=text,
            manifest=parse(text),
            places=Places(config.chart.path, texts, deployment.overlay, settings),
            topic_prefix=_topic_prefix(config, texts, deployment.overlay),
        )

    @cached_property
    def references(self) -> Mapping[str, ImageReference]:
        """The images of the work tree; those that are not in the registry are named as still to be built."""
        repository, config = self._operator.repository, self._operator.config
        inputs = {name: images.read(repository, config, name) for name in config.images}

        def digest(name: str) -> str:
            try:
                return self._registry.digest(config.registry.path(name), inputs[name].tag) or TO_BE_BUILT
            except RegistryError as problem:
                self.problems.append(problem)
                return TO_BE_BUILT

        with ThreadPoolExecutor(len(inputs)) as pool:
            digests = dict(zip(inputs, pool.map(digest, inputs), strict=True))
        return {
            name: ImageReference(config.registry.reference(name), one.tag, digests[name])
            for name, one in inputs.items()
        }

    @cached_property
    def _commit(self) -> str | None:
        if self._version is None:
            return None
        return self._operator.repository.tags().get(versions.tag_of(versions.parse(self._version)))

    @contextmanager
    def _prepared(self, environment: str) -> Iterator[Deployment]:
        repository, config = self._operator.repository, self._operator.config
        if self._version is None:
            file = config.chart.file
            version = chart.read_version((repository.root / file).read_text(encoding="utf-8"), file)
            yield of_folder(repository.root, config, environment, version, self.references)
            return
        commit, changes = self._commit, {}
        if commit is None:
            changes = release_commit.edits(repository, config, self._version, self.references)
        start = commit or repository.head()
        with prepare(repository, config, environment, self._version, start, changes=changes) as deployment:
            yield deployment


def _topic_prefix(config: Config, texts: Sequence[tuple[str, str]], overlay: Mapping[str, Any]) -> str | None:
    """What topics begin with by the values; None when release.yaml does not say where that stands."""
    if config.preflight.topic_prefix is None:
        return None
    found = ""
    for values in [*(yaml.load(text, Loader=LOADER) for _, text in texts), overlay]:  # noqa: S506  safe, in C
        value: Any = values
        for part in config.preflight.topic_prefix.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        found = found if value is None else str(value)
    return found
