"""Images: what each is made of now, what the registry has of it, and building the ones it has not."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import chart, content
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.content import InputFile
from todo_release.config.model import Config, Image
from todo_release.errors import ConfigError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

BUILD_ID = "BUILD_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What an image is made of at this moment; `dockerfile` is a name in the build context."""

    files: tuple[InputFile, ...]
    dockerfile: str
    content_id: str

    @property
    def tag(self) -> str:
        """The tag an image of this content has."""
        return f"content-{self.content_id}"


def read(repository: Repository, config: Config, name: str) -> Inputs:
    """Read the inputs of an image from the work tree.

    Raises:
        ConfigError: inputs match nothing, lie outside the context, or the Dockerfile is not among the files.
    """
    image = config.images[name]
    if BUILD_ID in image.build_args:
        raise ConfigError(
            f"The image {name} sets the build argument {BUILD_ID}, which the engine gives.",
            remedy="Remove it.",
        )
    for pattern in image.inputs:
        if not repository.files([pattern]):
            raise ConfigError(
                f"The input {pattern!r} of the image {name} matches no file.", remedy="Correct or remove it."
            )
    paths = repository.files(image.inputs, image.exclude)
    if image.dockerfile not in paths:
        raise ConfigError(
            f"The Dockerfile {image.dockerfile!r} of the image {name} is not among its inputs.",
            remedy="Correct its path, or add it to the inputs.",
        )
    files = content.read_inputs(repository.root, paths, context=image.context)
    dockerfile = str(PurePosixPath(image.dockerfile).relative_to(image.context))
    return Inputs(files=files, dockerfile=dockerfile, content_id=_identity(config, image, files, dockerfile))


def _identity(config: Config, image: Image, files: tuple[InputFile, ...], dockerfile: str) -> str:
    return content.content_id(
        files, dockerfile=dockerfile, build_args=image.build_args, platform=config.registry.platform
    )


def references(
    repository: Repository, config: Config, registry: "Registry"
) -> dict[str, ImageReference] | None:
    """The images of the work tree as the values file should name them; None while one is not in the
    registry.
    """
    found = {}
    for name in config.images:
        inputs = read(repository, config, name)
        digest = registry.digest(config.registry.path(name), inputs.tag)
        if digest is None:
            return None
        found[name] = ImageReference(config.registry.reference(name), inputs.tag, digest)
    return found


def committed_images(repository: Repository, config: Config, commit: str) -> dict[str, ImageReference]:
    """The images that a commit's values file names."""
    text = repository.text_at(commit, config.chart.values)
    return chart.read_images(text, config.chart.values, config.image_paths)
