"""Builds the images of a clone the way a release does, and runs them the way the chart does."""

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

# What a container may do in a pod of the chart: nothing, and write to /tmp only.
RESTRICTED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "size=64m"},  # noqa: S108 - a path in the container
    "network_mode": "host",
}


@dataclass(frozen=True)
class Looks:
    """What an engine says of an image: digests of its layers, the base's first; its variables; its bytes."""

    layers: tuple[str, ...]
    environment: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Built:
    """An image in the engine and, `packed` bytes of it, in the registry."""

    reference: str
    content_id: str
    looks: Looks
    packed: int
    seconds: float


@dataclass(frozen=True)
class Workshop:
    """A clone whose images are built the way a release builds them."""

    path: Path
    config: Config
    registry: Registry
    engine: docker.DockerClient

    @classmethod
    @contextmanager
    def opened(cls, repository: Path, folder: Path, place: str) -> Iterator[Self]:
        """Clone a repository into a folder; `place` is where in a registry its images go."""
        subprocess.run(["git", "clone", "--quiet", repository, folder], check=True)
        config = load(folder, Overrides(registry=place, is_insecure=True))
        with Registry(config.registry.host, insecure=True) as registry:
            yield cls(folder, config, registry, docker.from_env())

    def build(self, name: str) -> Built:
        """Build and push an image of what the clone holds now."""
        repository = Repository(self.path)
        inputs = images.read(repository, self.config, name)
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
        looks = self.look_at(reference)
        return Built(reference, inputs.content_id, looks, outcome["size_bytes"], seconds)

    def build_from(self, name: str, build: Callable[[Any, str, str], object]) -> Looks:
        """Let `build` (context, Dockerfile, reference) build an image in another way."""
        inputs = images.read(Repository(self.path), self.config, name)
        reference = f"{self.config.registry.reference(name)}:again"
        with tempfile.TemporaryFile() as context:
            content.write_context(self.path, inputs.files, context)
            context.seek(0)
            build(context, inputs.dockerfile, reference)
        return self.look_at(reference)

    def look_at(self, reference: str) -> Looks:
        """What an image in the engine is like."""
        attributes = self.engine.images.get(reference).attrs
        return Looks(
            tuple(attributes["RootFS"]["Layers"]), tuple(attributes["Config"]["Env"]), attributes["Size"]
        )

    @contextmanager
    def changed(self, path: str, line: str) -> Iterator[None]:
        """Meanwhile a file of the clone has one more line."""
        file = self.path / path
        text = file.read_text(encoding="utf-8")
        file.write_text(f"{text}{line}\n", encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(text, encoding="utf-8")

    @contextmanager
    def container(self, reference: str, **settings: Any) -> Iterator[Container]:
        """A container of an image with no more rights than a pod of the chart has."""
        created = self.engine.containers.create(reference, **RESTRICTED, **settings)
        try:
            created.start()
            yield created
        finally:
            created.remove(force=True)
