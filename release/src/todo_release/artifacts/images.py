"""Images: the inputs that each is built from now, and what the registry already has of them."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from todo_release.adapters import pathspec
from todo_release.adapters.file_list import FileList
from todo_release.adapters.git import Repository
from todo_release.artifacts import content, image_values
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.content import InputFile
from todo_release.config.model import Config, ImageSettings
from todo_release.core import release_folder
from todo_release.errors import ConfigError, RegistryError, RepositoryError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

BUILD_ID = "BUILD_ID"
CONTENT_TAG = "content-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputs:
    """What an image would be built from now; `dockerfile` is a name in the build context."""

    files: tuple[InputFile, ...]
    dockerfile: str
    content_id: str

    @property
    def tag(self) -> str:
        """The tag of an image with this content."""
        return f"{CONTENT_TAG}{self.content_id}"


def read_all_inputs(repository: Repository, config: Config) -> dict[str, ImageInputs]:
    """Reads the inputs of every image from the work tree, whose files are listed once.

    Raises:
        ConfigError: As of `read_image_inputs`.
        RepositoryError: As of `read_image_inputs`.
    """
    files = repository.list_files()
    return {name: read_image_inputs(repository, config, name, files) for name in config.images}


def read_image_inputs(
    repository: Repository, config: Config, name: str, files: FileList | None = None
) -> ImageInputs:
    """Reads the inputs of an image from the work tree; `files` are its files, if they were listed before.

    Raises:
        ConfigError: Inputs match no file, lie outside the context, are edited by the release, or do not
            include the Dockerfile.
        RepositoryError: Git has more than the work tree: a submodule or a file of Git LFS is missing.
    """
    image = config.images[name]
    files = files or repository.list_files()
    if BUILD_ID in image.build_args:
        raise ConfigError(
            f"The image {name} sets the build argument {BUILD_ID}, which the engine sets itself.",
            remedy="Remove it.",
        )
    _check_submodules(files, image, name)
    for pattern in image.inputs:
        if not files.select([pattern]):
            raise ConfigError(
                f"The input {pattern!r} of the image {name} matches no file.", remedy="Correct or remove it."
            )
    ours = f"{release_folder.RELEASE_FOLDER}/"
    paths = [path for path in files.select(image.inputs, image.exclude) if not path.startswith(ours)]
    _check_not_edited(config, name, paths)
    if image.dockerfile not in paths:
        raise ConfigError(
            f"The Dockerfile {image.dockerfile!r} of the image {name} is not among its inputs.",
            remedy="Correct its path, or add it to the inputs.",
        )
    inputs = content.hash_files(repository.root, paths, context=image.context)
    dockerfile = str(PurePosixPath(image.dockerfile).relative_to(image.context))
    return ImageInputs(
        files=inputs, dockerfile=dockerfile, content_id=_content_id(config, image, inputs, dockerfile)
    )


def _check_submodules(files: FileList, image: ImageSettings, name: str) -> None:
    for path in files.empty_submodules:
        is_input = pathspec.matches(path, image.inputs, image.exclude)
        if is_input or any(pattern.startswith(f"{path}/") for pattern in image.inputs):
            raise RepositoryError(
                f"The input {path} of the image {name} is a submodule that is not checked out.",
                remedy=f"Run `git submodule update --init {path}`, or exclude it; in GitHub Actions, "
                "actions/checkout needs `submodules: true`.",
            )


def _check_not_edited(config: Config, name: str, paths: Sequence[str]) -> None:
    """Refuses inputs that the release changes: their image would be another one after every release."""
    edited = [config.chart.file, config.chart.values]
    if config.changelog is not None:
        edited += [config.changelog.file, config.changelog.fragments]
    if found := [pattern for pattern in edited if pathspec.select(paths, [pattern])]:
        raise ConfigError(
            f"The inputs of the image {name} contain what the release itself edits: {', '.join(found)}.",
            remedy=f"Add {'it' if len(found) == 1 else 'them'} to `images.{name}.exclude` in release.yaml.",
        )


def select_changed(paths: Iterable[str], image: ImageSettings) -> tuple[str, ...]:
    """Returns the changed paths that are inputs of an image, among them submodules that hold some."""
    return tuple(
        path
        for path in paths
        if pathspec.matches(path, image.inputs, image.exclude)
        or any(pattern.startswith(f"{path}/") for pattern in image.inputs)
    )


def _content_id(config: Config, image: ImageSettings, files: tuple[InputFile, ...], dockerfile: str) -> str:
    return content.compute_content_id(
        files, dockerfile=dockerfile, build_args=image.build_args, platform=config.registry.platform
    )


def find_image_references(
    repository: Repository, config: Config, registry: "Registry"
) -> dict[str, ImageReference] | None:
    """Returns the references of the work tree's images; None while one of them is not in the registry."""
    inputs = read_all_inputs(repository, config)
    with ThreadPoolExecutor(len(inputs)) as pool:
        digests = pool.map(lambda name: registry.digest(config.registry.path(name), inputs[name].tag), inputs)
        references = {
            name: ImageReference(config.registry.reference(name), inputs[name].tag, digest)
            for name, digest in zip(inputs, digests, strict=True)
            if digest is not None
        }
    return references if len(references) == len(inputs) else None


def read_committed_images(repository: Repository, config: Config, commit: str) -> dict[str, ImageReference]:
    """Returns the images that a commit's values file names."""
    text = repository.text_at(commit, config.chart.values)
    return image_values.read_images(text, config.chart.values, config)


def resolve_committed_images(
    repository: Repository, config: Config, registry: "Registry", commit: str
) -> dict[str, ImageReference]:
    """Returns the images of a commit's values file with their digests.

    Where the values name an image by a tag only, its digest is that of the content in the work tree, which is
    the commit's while it is being released.

    Raises:
        RegistryError: The registry does not have an image.
    """
    references = read_committed_images(repository, config, commit)
    for name, image in references.items():
        if not image.digest:
            tag = read_image_inputs(repository, config, name).tag
            digest = registry.digest(config.registry.path(name), tag)
            if digest is None:
                raise RegistryError(
                    f"The registry has no {config.registry.reference(name)}:{tag}.",
                    remedy="Run the release again; it builds the image.",
                )
            references[name] = replace(image, digest=digest)
    return references
