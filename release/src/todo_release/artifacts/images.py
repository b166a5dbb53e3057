"""Images: the inputs that each is built from now, and what the registry already has of them."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import chart, content
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.content import InputFile
from todo_release.config.model import Config, ImageSettings
from todo_release.errors import ConfigError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

BUILD_ID = "BUILD_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """What an image would be built from now; `dockerfile` is a name in the build context."""

    files: tuple[InputFile, ...]
    dockerfile: str
    content_id: str

    @property
    def tag(self) -> str:
        """The tag of an image with this content."""
        return f"content-{self.content_id}"


def read_image_inputs(repository: Repository, config: Config, name: str) -> ImageInputs:
    """Reads the inputs of an image from the work tree.

    Raises:
        ConfigError: Inputs match no file, lie outside the context, or do not include the Dockerfile.
    """
    image = config.images[name]
    if BUILD_ID in image.build_args:
        raise ConfigError(
            f"The image {name} sets the build argument {BUILD_ID}, which the engine sets itself.",
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
    files = content.hash_files(repository.root, paths, context=image.context)
    dockerfile = str(PurePosixPath(image.dockerfile).relative_to(image.context))
    return ImageInputs(
        files=files, dockerfile=dockerfile, content_id=_content_id(config, image, files, dockerfile)
    )


def _content_id(config: Config, image: ImageSettings, files: tuple[InputFile, ...], dockerfile: str) -> str:
    return content.compute_content_id(
        files, dockerfile=dockerfile, build_args=image.build_args, platform=config.registry.platform
    )


def find_image_references(
    repository: Repository, config: Config, registry: "Registry"
) -> dict[str, ImageReference] | None:
    """Returns the references of the work tree's images; None while one of them is not in the registry."""
    references = {}
    for name in config.images:
        inputs = read_image_inputs(repository, config, name)
        digest = registry.digest(config.registry.path(name), inputs.tag)
        if digest is None:
            return None
        references[name] = ImageReference(config.registry.reference(name), inputs.tag, digest)
    return references


def read_committed_images(repository: Repository, config: Config, commit: str) -> dict[str, ImageReference]:
    """Returns the images that a commit's values file names."""
    text = repository.text_at(commit, config.chart.values)
    return chart.read_images(text, config.chart.values, config.image_paths)
