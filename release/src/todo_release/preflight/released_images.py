"""The images of release.yaml as a release writes them, and what overrides them in an environment."""

from collections.abc import Sequence
from dataclasses import dataclass

from todo_release.adapters.registry.image_name import split_reference
from todo_release.artifacts import image_values
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.image_values import ValuePath
from todo_release.artifacts.images import CONTENT_TAG
from todo_release.config.model import Config, RegistrySettings
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Place
from todo_release.preflight.value_positions import ValuePositions


@dataclass(frozen=True, slots=True)
class ValueOverride:
    """A value that a release writes, and that a values file or `set` of the environment replaces."""

    path: ValuePath
    text: str
    place: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedImage:
    """An image that a release writes into the values.

    `repositories` are the names that its repository may have: in a rehearsal the real one too. `paths` are
    the values that name it.
    """

    reference: ImageReference
    repositories: tuple[str, ...]
    paths: Sequence[ValuePath] = ()
    overrides: Sequence[ValueOverride] = ()

    def has_repository(self, reference: str) -> bool:
        """Returns whether a full name of an image is in the repository of this one."""
        return _repository(reference) in {_repository(name) for name in self.repositories}

    def is_named_by(self, reference: str) -> bool:
        """Returns whether a full name of an image is exactly the released one."""
        return self.has_repository(reference) and split_reference(reference)[2] == self.reference.identity

    def is_tagged_later(self, reference: str, *, is_released: bool) -> bool:
        """Returns whether a name without digest may not exist yet: a release tags images after its commit."""
        is_content_tag = self.reference.tag.startswith(CONTENT_TAG)
        return (
            not self.reference.digest and self.is_named_by(reference) and not (is_released and is_content_tag)
        )


def find_released_images(
    config: Config,
    values_text: str,
    positions: ValuePositions,
    real_registry: RegistrySettings | None,
) -> dict[str, ReleasedImage]:
    """Returns the images of a version by name.

    Args:
        config: release.yaml.
        values_text: The values file with the images that the release writes.
        positions: All values of the environment.
        real_registry: The registry of a real release, where another one stands in for it.
    """
    file = config.chart.values
    document = yaml_positions.read(values_text, file)
    released = {}
    for name in config.images:
        values = image_values.find_image_values(document, file, config, name)
        reference = image_values.parse_reference(values, config.registry.reference(name))
        overrides = []
        for value in values:
            text, place = positions.setting(value.path)
            if text not in {None, value.text} and place is not None:
                overrides.append(ValueOverride(value.path, text or "", place))
        repositories = [reference.repository]
        if real_registry is not None:
            repositories.append(real_registry.reference(name))
        released[name] = ReleasedImage(
            reference=reference,
            repositories=tuple(repositories),
            paths=[value.path for value in values],
            overrides=overrides,
        )
    return released


def _repository(reference: str) -> tuple[str, str]:
    host, repository, _ = split_reference(reference)
    return host, repository
