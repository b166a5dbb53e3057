"""The world that rehearsals are played in: a scratch clone, a registry, a cluster, and options that lead
there.

All of it lies in one temporary folder and in children of this process, and ends with the block.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from todo_embedded.controlplane.control_plane import Plane
from todo_embedded.errors import EmbeddedError
from todo_embedded.registry import image_registry
from todo_release.adapters.registry.client import Registry
from todo_release.config.model import Config
from todo_release.config.overrides import Overrides, from_environment
from todo_release.errors import RegistryError, RehearsalError
from todo_release.rehearsal import cluster_copy, cluster_fixture, scenario, scratch_repository
from todo_release.rehearsal.cluster_fixture import Site
from todo_release.rehearsal.pod_faults import Pulls
from todo_release.rehearsal.scenario import Stage
from todo_release.rehearsal.stub_images import StandInEngine
from todo_release.session import Connections, Options, Session, configuration

# Nobody looks up the public names, which lead elsewhere or nowhere, and nothing is announced.
NOWHERE = "127.0.0.1:1"
PLACEHOLDERS = "hygiene=a rehearsal may have placeholders where no cluster is configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Theatre:
    """A world for rehearsals that is up; `engine` and `pulls` let images into its registry and out of it."""

    stage: Stage
    plane: Plane
    site: Site
    config: Config
    engine: StandInEngine
    pulls: Pulls


@contextmanager
def open_theatre(session: Session, options: Options, like: str | None) -> Iterator[Theatre]:
    """Make the world: all of it lies in a temporary folder and ends with the block.

    Raises:
        RehearsalError: a part could not be built or started.
        ReleaseError: the repository, release.yaml or the live cluster are not as they must be.
    """
    config, say = session.context.config, session.reporter.say
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
            cloned = scratch_repository.clone(session.context.repository, folder, config.branch)
            if cloned.extra:
                say(f"Not committed yet, rehearsed as if it were: {', '.join(cloned.extra)}")
            host = stack.enter_context(image_registry(progress=say))
            furnished = (
                cluster_copy.of_cluster(session.context.reach(like), config, host)
                if like
                else cluster_fixture.of_config(config, cloned.tree, host)
            )
            registry = stack.enter_context(Registry(host, insecure=True, is_anonymous=True))
            pulls = Pulls()
            check = partial(_refusal, host, registry, pulls)
            plane = stack.enter_context(
                cluster_fixture.running(furnished, folder, image_check=check, progress=say)
            )
            inside = _options(
                options, config, folder, repository=f"{host}/{config.name}", is_twin=like is not None
            )
            rehearsed = configuration(cloned.tree, inside)
            engine = StandInEngine(rehearsed.registry)
            connections = Connections(
                kubeconfig=plane.kubeconfig, container_engine=lambda: engine, run_smoke=scenario.judge_nothing
            )
            stage = Stage(
                scratch=cloned,
                options=inside,
                connections=connections,
                api=plane.api,
                reporter=session.reporter,
            )
            yield Theatre(
                stage=stage, plane=plane, site=furnished, config=rehearsed, engine=engine, pulls=pulls
            )
    except EmbeddedError as error:
        raise RehearsalError(
            f"The rehearsal's own world could not be made, or failed: {error}",
            remedy="Correct that and rehearse again.",
        ) from error


def _options(options: Options, config: Config, folder: Path, *, repository: str, is_twin: bool) -> Options:
    """The same options, but for what leads out of the rehearsal's world."""
    overlay = folder / "rehearsal.yaml"
    apart = {
        "remote": scratch_repository.REMOTE,
        "github": None,
        "environments": {name: {"smoke": {"connect_to": NOWHERE}} for name in config.environments},
    }
    overlay.write_text(json.dumps(apart), encoding="utf-8")  # JSON is YAML
    said = (options.overrides or Overrides()).over(from_environment(options.environ))
    inside = replace(
        said,
        files=(*said.files, overlay),
        registry=repository,
        is_insecure=True,
        context=cluster_fixture.CONTEXT,
    )
    skip = options.skip if is_twin else (PLACEHOLDERS, *options.skip)
    return replace(options, overrides=inside, is_agreed=True, skip=skip, environ={})


def _refusal(host: str, registry: Registry, pulls: Pulls, image: str) -> str | None:
    """Why a node cannot have an image; of other registries nothing is asked."""
    if not image.startswith(f"{host}/"):
        return None
    if refused := pulls.refuse(image):
        return f"failed to resolve reference {image}: {refused}"
    named, _, digest = image.removeprefix(f"{host}/").partition("@")
    name, _, tag = named.partition(":")
    try:
        found = registry.digest(name, digest or tag or "latest")
    except RegistryError as error:
        return f"failed to resolve reference {image}: {error}"
    return None if found else f"failed to resolve reference {image}: {image}: not found"
