"""Builds the images of a clone as a release does, and runs them with the limits of the chart's pods."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import docker
from docker.models.containers import Container

from todo_release.adapters.docker_engine import DockerEngine
from todo_release.adapters.git import Repository
from todo_release.adapters.registry.client import Registry
from todo_release.artifacts import content, images
from todo_release.config.loader import load
from todo_release.config.model import Config
from todo_release.config.overrides import Overrides
from todo_release.pipeline.handlers import build
from todo_release.pipeline.steps import BuildImage

# The security context of the chart's pods: no capabilities, and a writable /tmp only.
RESTRICTED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "size=64m"},  # noqa: S108  # a path in the container
    "network_mode": "host",
}


@dataclass(frozen=True)
class ImageFacts:
    """What the engine reports of an image; `layers` are digests that begin with the base image's."""

    layers: tuple[str, ...]
    environment: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class BuiltImage:
    """An image in the engine and, compressed, in the registry."""

    reference: str
    content_id: str
    facts: ImageFacts
    compressed_bytes: int
    seconds: float


@dataclass(frozen=True)
class ImageBuilder:
    """A clone whose images are built as a release builds them."""

    path: Path
    config: Config
    registry: Registry
    engine: docker.DockerClient

    @classmethod
    @contextmanager
    def of_clone(cls, repository: Path, folder: Path, image_repository: str) -> Iterator[Self]:
        """Clones a repository into a folder; its images go below `image_repository`."""
        subprocess.run(["git", "clone", "--quiet", repository, folder], check=True)
        config = load(folder, Overrides(registry=image_repository, is_insecure=True))
        with Registry(config.registry.host, insecure=True) as registry:
            yield cls(folder, config, registry, docker.from_env())

    def build(self, name: str) -> BuiltImage:
        """Builds and pushes an image of the clone's present files."""
        repository = Repository(self.path)
        inputs = images.read_image_inputs(repository, self.config, name)
        step = BuildImage(
            reason="a test",
            image=name,
            repository=self.config.registry.reference(name),
            content_id=inputs.content_id,
        )
        started = time.monotonic()
        handler = build.BuildHandler(repository, self.config, self.registry, DockerEngine.connect)
        outcome = handler.do(step, lambda text, is_note=False: None)
        seconds = time.monotonic() - started
        reference = f"{step.repository}:{step.tag}"
        facts = self.inspect(reference)
        return BuiltImage(reference, inputs.content_id, facts, outcome["size_bytes"], seconds)

    def build_with(self, name: str, build: Callable[[Any, str, str], object]) -> ImageFacts:
        """Lets `build` (context, Dockerfile, reference) build an image, and returns its facts."""
        inputs = images.read_image_inputs(Repository(self.path), self.config, name)
        reference = f"{self.config.registry.reference(name)}:again"
        with tempfile.TemporaryFile() as context:
            content.write_context(self.path, inputs.files, context)
            context.seek(0)
            build(context, inputs.dockerfile, reference)
        return self.inspect(reference)

    def inspect(self, reference: str) -> ImageFacts:
        """Returns the facts of an image in the engine."""
        attributes = self.engine.images.get(reference).attrs
        return ImageFacts(
            tuple(attributes["RootFS"]["Layers"]), tuple(attributes["Config"]["Env"]), attributes["Size"]
        )

    @contextmanager
    def with_line(self, path: str, line: str) -> Iterator[None]:
        """Appends a line to a file of the clone, and removes it afterwards."""
        file = self.path / path
        text = file.read_text(encoding="utf-8")
        file.write_text(f"{text}{line}\n", encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(text, encoding="utf-8")

    @contextmanager
    def container(self, reference: str, **settings: Any) -> Iterator[Container]:
        """Runs a container of an image with the rights of the chart's pods."""
        created = self.engine.containers.create(reference, **RESTRICTED, **settings)
        try:
            created.start()
            yield created
        finally:
            created.remove(force=True)
