"""Builds and pushes images with Docker, or with Podman over its Docker-compatible socket.

The Docker SDK has no BuildKit (docker/docker-py#2230), without which Docker ignores cache mounts. So builds
use `docker buildx` where it is installed, and the engine's own API elsewhere (Podman builds with Buildah,
which knows cache mounts). The build context is a tar that the caller made: a build sees no other file.
"""

import os
import re
import shutil
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from todo_release.adapters import process
from todo_release.adapters.process import LineCallback
from todo_release.errors import BuildError, CommandError, RegistryError

if TYPE_CHECKING:
    from docker import APIClient

LINES_IN_ERROR = 20
BUILD_SECONDS = 1800
STEP = re.compile(r"^(?:\[[\w.-]+ )?(?:\d+/\d+\] )?step\b", re.IGNORECASE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class DockerEngine:
    """A container engine that answers."""

    def __init__(self, client: "APIClient", *, has_buildx: bool) -> None:
        """Takes `has_buildx`, which chooses how images are built."""
        self._client = client
        self._has_buildx = has_buildx

    @classmethod
    def connect(cls) -> "DockerEngine":
        """Connects to DOCKER_HOST if it is set, else to the first socket of Docker or Podman that answers.

        Raises:
            BuildError: None answers.
        """
        import docker
        from docker.errors import DockerException

        configured = os.environ.get("DOCKER_HOST")
        hosts = (
            [configured]
            if configured
            else [f"unix://{path}" for path in _usual_sockets() if path.is_socket()]
        )
        refusals = []
        for host in hosts:
            try:
                client = docker.APIClient(base_url=host, version="auto", timeout=BUILD_SECONDS)
                return cls(client, has_buildx=_is_docker(client.version()) and _has_buildx())
            except DockerException as error:
                refusals.append(f"{host}: {error}")
        raise BuildError(
            f"No container engine answers ({'; '.join(refusals) or 'no socket found'}).",
            remedy="Start Docker, or `podman system service` and set DOCKER_HOST to its socket.",
        )

    def build(
        self,
        context: BinaryIO,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        on_line: LineCallback,
        platform: str = "linux/amd64",
        cache: str | None = None,
    ) -> None:
        """Builds an image from a tar and gives it all `tags`; `dockerfile` is a path inside the tar.

        `cache` is where buildx reads and writes layers (`type=registry,ref=…`); Podman keeps its own.

        Raises:
            BuildError: A step failed; the problem ends with what that step printed.
        """
        if self._has_buildx:
            _buildx(
                context,
                dockerfile=dockerfile,
                tags=tags,
                build_args=build_args,
                on_line=on_line,
                platform=platform,
                cache=cache,
            )
            return
        from docker.errors import DockerException

        try:
            answer = self._client.build(
                fileobj=context,
                custom_context=True,
                dockerfile=dockerfile,
                tag=tags[0],
                buildargs=dict(build_args),
                platform=platform,
                rm=True,
                forcerm=True,
                decode=True,
            )
            follow_build(answer, tags[0], on_line)
            for tag in tags[1:]:
                repository, _, name = tag.rpartition(":")
                self._client.tag(tags[0], repository, name, force=True)
        except DockerException as error:
            raise BuildError(
                f"The container engine refused to build {tags[0]}: {error}.",
                remedy="Check the engine with `docker info`, then release again.",
            ) from error

    def push(self, reference: str, *, on_line: LineCallback) -> str:
        """Pushes a tagged image with the credentials of `docker login`, and returns its digest.

        Raises:
            RegistryError: The registry refused or was not reachable.
        """
        from docker.errors import DockerException

        repository, _, tag = reference.rpartition(":")
        try:
            answer = self._client.push(repository, tag, stream=True, decode=True)
            return follow_push(answer, reference, on_line)
        except DockerException as error:
            raise RegistryError(
                f"The container engine refused to push {reference}: {error}.",
                remedy="Check the engine with `docker info`, then release again.",
            ) from error


def follow_build(messages: Iterable[Mapping[str, Any]], image: str, on_line: LineCallback) -> None:
    """Passes on the messages of the engine's build API as lines.

    Raises:
        BuildError: A message is an error; the problem ends with the last lines of the step that failed.
    """
    step: deque[str] = deque(maxlen=LINES_IN_ERROR)
    for message in messages:
        for line in str(message.get("stream", "")).splitlines():
            if not line.strip():
                continue
            if STEP.match(line):
                step.clear()
            step.append(line)
            on_line(line)
        if "error" in message:
            raise _build_error(image, [*step, str(message["error"])])


def follow_push(messages: Iterable[Mapping[str, Any]], reference: str, on_line: LineCallback) -> str:
    """Passes on the messages of the engine's push API as lines, and returns the digest that they name.

    Raises:
        RegistryError: A message is an error, or none names a digest.
    """
    digest = None
    for message in messages:
        if "error" in message:
            raise RegistryError(
                f"{reference} was not pushed: {message['error']}.",
                remedy="Log in with `docker login` as a user who may push there.",
            )
        status = str(message.get("status") or message.get("stream") or "").strip()
        digest = message.get("aux", {}).get("Digest") or _first_digest(status) or digest
        if status and "progressDetail" not in message:
            on_line(status)
    if digest is None:
        raise RegistryError(
            f"The engine pushed {reference} without naming a digest.", remedy="Update the container engine."
        )
    return str(digest)


def _buildx(
    context: BinaryIO,
    *,
    dockerfile: str,
    tags: Sequence[str],
    build_args: Mapping[str, str],
    on_line: LineCallback,
    platform: str,
    cache: str | None,
) -> None:
    arguments = ["docker", "buildx", "build", "--load", "--progress", "plain", "--provenance", "false"]
    arguments += ["--platform", platform, "--file", dockerfile]
    if cache:
        arguments += ["--cache-from", cache, "--cache-to", f"{cache},mode=max"]
    arguments += [part for tag in tags for part in ("--tag", tag)]
    arguments += [part for name, value in build_args.items() for part in ("--build-arg", f"{name}={value}")]
    tail: deque[str] = deque(maxlen=LINES_IN_ERROR)

    def keep(line: str) -> None:
        tail.append(line)
        on_line(line)

    try:
        process.stream([*arguments, "-"], keep, stdin=context.read(), timeout_seconds=BUILD_SECONDS)
    except CommandError as error:
        raise _build_error(tags[0], list(tail) or [error.problem]) from error


def _build_error(image: str, lines: Sequence[str]) -> BuildError:
    text = "\n".join(lines)
    return BuildError(f"{image} did not build:\n{text}", remedy="Correct the step above and release again.")


def _first_digest(text: str) -> str | None:
    match = DIGEST.search(text)
    return match.group() if match and "digest" in text.lower() else None


def _usual_sockets() -> tuple[Path, ...]:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return (
        Path("/var/run/docker.sock"),
        Path.home() / ".docker/run/docker.sock",
        runtime / "docker.sock",
        runtime / "podman/podman.sock",
        Path("/run/podman/podman.sock"),
    )


def _is_docker(version: Mapping[str, Any]) -> bool:
    return not any("Podman" in part.get("Name", "") for part in version.get("Components") or ())


def _has_buildx() -> bool:
    if shutil.which("docker") is None:
        return False
    return process.run(["docker", "buildx", "version"], check=False).returncode == 0


class ContainerEngine(Protocol):
    """The interface of a container engine; `DockerEngine` is the real one."""

    def build(
        self,
        context: BinaryIO,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        on_line: LineCallback,
        platform: str,
        cache: str | None,
    ) -> None:
        """Builds an image from a tar and gives it all `tags`.

        `cache` is where layers are kept between machines.

        Raises:
            BuildError: A step failed.
        """

    def push(self, reference: str, *, on_line: LineCallback) -> str:
        """Pushes a tagged image and returns its digest.

        Raises:
            RegistryError: The registry refused or was not reachable.
        """
