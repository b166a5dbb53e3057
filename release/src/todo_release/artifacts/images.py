"""Images: what each is made of now, what the registry has of it, and building the ones it has not."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol

from todo_release.adapters.git import Repository
from todo_release.artifacts import content
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.content import InputFile
from todo_release.config.model import Config, Image
from todo_release.errors import ConfigError, RegistryError, RepositoryError
from todo_release.pipeline.runner import Outcome, Say
from todo_release.pipeline.steps import BuildImage

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


class ContainerEngine(Protocol):
    """What builds and pushes (`todo_release.adapters.docker_engine.DockerEngine`)."""

    def build(
        self,
        context: BinaryIO,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        on_line: Callable[[str], None],
        platform: str,
        cache: str | None,
    ) -> None:
        """Build an image from a tar and give it every tag; `cache` is where layers are kept between machines.

        Raises BuildError.
        """

    def push(self, reference: str, *, on_line: Callable[[str], None]) -> str:
        """Push a tagged image and return its digest. Raises RegistryError."""


@dataclass(frozen=True, slots=True)
class BuildHandler:
    """Builds and pushes one image; `engine` makes a connection for each build."""

    repository: Repository
    config: Config
    registry: "Registry"
    engine: Callable[[], ContainerEngine]

    def check(self, step: BuildImage) -> Outcome | None:
        """Done when the registry has the content tag."""
        digest = self.registry.digest(self.config.registry.path(step.image), step.tag)
        return None if digest is None else {"digest": digest}

    def do(self, step: BuildImage, say: Say) -> Outcome:
        """Build from exactly the inputs, push, and follow what was pushed down to the platform's
        configuration.
        """
        inputs = read(self.repository, self.config, step.image)
        if inputs.content_id != step.content_id:
            raise RepositoryError(
                f"The inputs of {step.image} were changed while the release was running.",
                remedy="Start the release again.",
            )
        image, registry = self.config.images[step.image], self.config.registry
        reference = f"{step.repository}:{step.tag}"
        engine = self.engine()
        with tempfile.TemporaryFile() as context:
            content.write_context(self.repository.root, inputs.files, context)
            context.seek(0)
            engine.build(
                context,
                dockerfile=inputs.dockerfile,
                tags=[reference],
                build_args={**image.build_args, BUILD_ID: step.content_id},
                on_line=say,
                platform=registry.platform,
                cache=self.config.build_cache and self.config.build_cache.replace("{image}", step.image),
            )
        if self.check(step) is None:
            say("pushing", is_note=True)
            engine.push(reference, on_line=say)
        else:
            # Two builds of one content differ in their digests, and the other one may be committed already.
            say("somebody else pushed the same content meanwhile; theirs is taken", is_note=True)
        resolved = self.registry.resolve(registry.path(step.image), step.tag, registry.platform)
        if resolved.env.get(BUILD_ID, step.content_id) != step.content_id:
            raise RegistryError(
                f"{reference} holds another build ({resolved.env[BUILD_ID]}).",
                remedy="Delete that tag in the registry and release again. Somebody pushed over it, or the "
                "engine's cache gave back an earlier build: then clear that cache too.",
            )
        return {"digest": resolved.digest, "size_bytes": resolved.size_bytes}
