"""The step that builds and pushes an image."""

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from todo_release.adapters.git import Repository
from todo_release.artifacts import content
from todo_release.artifacts.images import read
from todo_release.core.progress import Say
from todo_release.errors import RegistryError, RepositoryError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry
from collections.abc import Callable

from todo_release.adapters.docker_engine import ContainerEngine
from todo_release.artifacts.images import BUILD_ID
from todo_release.config.model import Config
from todo_release.pipeline.runner import StepResult
from todo_release.pipeline.steps import BuildImage


@dataclass(frozen=True, slots=True)
class BuildHandler:
    """Builds and pushes one image; `engine` makes a connection for each build."""

    repository: Repository
    config: Config
    registry: "Registry"
    engine: Callable[[], ContainerEngine]

    def check(self, step: BuildImage) -> StepResult | None:
        """Done when the registry has the content tag."""
        digest = self.registry.digest(self.config.registry.path(step.image), step.tag)
        return None if digest is None else {"digest": digest}

    def do(self, step: BuildImage, say: Say) -> StepResult:
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
