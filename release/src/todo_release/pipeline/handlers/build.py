"""Builds an image from its inputs and pushes it under its content tag."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from todo_release.adapters.docker_engine import ContainerEngine
from todo_release.adapters.file_list import FileList
from todo_release.adapters.git import Repository
from todo_release.artifacts import content
from todo_release.artifacts.images import BUILD_ID, read_image_inputs
from todo_release.config.model import Config
from todo_release.core.progress import ProgressCallback
from todo_release.errors import RegistryError, RepositoryError
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import BuildImage

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry


@dataclass(frozen=True, slots=True)
class BuildHandler:
    """Builds and pushes one image; `engine` connects to the container engine, once for each build."""

    repository: Repository
    config: Config
    registry: "Registry"
    engine: Callable[[], ContainerEngine]
    _list_files: Callable[[], FileList] = field(init=False)

    def __post_init__(self) -> None:
        """Lists the files of the work tree once for all builds of a run."""
        object.__setattr__(self, "_list_files", cache(self.repository.list_files))

    def check(self, step: BuildImage) -> StepResult | None:
        """Returns the digest under the content tag, if the registry has that tag."""
        digest = self.registry.digest(self.config.registry.path(step.image), step.tag)
        return None if digest is None else {"digest": digest}

    def do(self, step: BuildImage, say: ProgressCallback) -> StepResult:
        """Builds from exactly the inputs, pushes, and reads the pushed image back from the registry.

        Raises:
            RepositoryError: the inputs were changed while the release was running.
            BuildError: the image did not build.
            RegistryError: the tag holds the image of another build.
        """
        inputs = read_image_inputs(self.repository, self.config, step.image, self._list_files())
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
            # Two builds of one content have different digests, and the other one may be committed already.
            say("somebody else pushed the same content meanwhile; using their image", is_note=True)
        resolved = self.registry.resolve(registry.path(step.image), step.tag, registry.platform)
        if resolved.env.get(BUILD_ID, step.content_id) != step.content_id:
            raise RegistryError(
                f"{reference} holds another build ({resolved.env[BUILD_ID]}).",
                remedy="Delete that tag in the registry and release again. Somebody overwrote it, or the "
                "engine's cache returned an earlier build: then clear that cache too.",
            )
        return {"digest": resolved.digest, "size_bytes": resolved.size_bytes}
