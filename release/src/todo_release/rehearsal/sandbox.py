"""The sandbox of a rehearsal: a scratch repository, a registry, a cluster, and options that lead to them.

All of it is in one temporary folder and in child processes, and is removed when the block ends.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_embedded.errors import EmbeddedError
from todo_embedded.registry import image_registry
from todo_release.adapters.registry.client import Registry
from todo_release.config.model import Config
from todo_release.config.overrides import Overrides, from_environment
from todo_release.errors import RegistryError, RehearsalError
from todo_release.preflight.checks import hygiene
from todo_release.rehearsal import cluster_copy, cluster_fixture, scenario, scratch_repository
from todo_release.rehearsal.cluster_fixture import ClusterFixture
from todo_release.rehearsal.node_autoscaler import NodeAutoscaler
from todo_release.rehearsal.pod_faults import PullFault
from todo_release.rehearsal.scenario import RehearsalContext
from todo_release.rehearsal.scratch_repository import ScratchRepository
from todo_release.rehearsal.stub_images import StubImageEngine
from todo_release.session import CommandOptions, Connections, Session, load_configuration

READINESS_SECONDS = 20  # simulated pods are ready within a second, or never
NO_SERVER = "127.0.0.1:1"  # where smoke checks and lookups of the public host names are sent
PLACEHOLDERS = f"{hygiene.PLACEHOLDERS}=a rehearsal may have placeholders where no cluster is configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox; `engine` pushes images into its registry, `pull_fault` keeps nodes from pulling.

    `autoscaler` adds nodes where release.yaml says that the cluster grows.
    """

    context: RehearsalContext
    plane: ControlPlane
    fixture: ClusterFixture
    config: Config
    engine: StubImageEngine
    pull_fault: PullFault
    autoscaler: NodeAutoscaler | None


@contextmanager
def open_sandbox(session: Session, options: CommandOptions, like: str | None) -> Iterator[Sandbox]:
    """Creates a sandbox for the duration of the block.

    Args:
        session: the real repository and configuration; nothing of them is changed.
        options: those of the command.
        like: the environment whose live cluster is copied; None creates the cluster of release.yaml.

    Raises:
        RehearsalError: a part could not be built or started.
        ReleaseError: the repository, release.yaml or the live cluster cannot be used.
    """
    config, say = session.context.config, session.reporter.show_text
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
            scratch = _clone(session, folder)
            host = stack.enter_context(image_registry(progress=say))
            fixture = (
                cluster_copy.copy_cluster(session.context.connect(like), config, host)
                if like
                else cluster_fixture.from_config(config, scratch.tree, host)
            )
            registry, pull_fault = Registry(host, insecure=True, is_anonymous=True), PullFault()
            check = partial(_refusal, host, stack.enter_context(registry), pull_fault)
            plane = stack.enter_context(
                cluster_fixture.run_cluster(fixture, folder, image_check=check, progress=say)
            )
            pools = config.preflight.node_pools
            autoscaler = stack.enter_context(NodeAutoscaler(plane.api, pools)) if pools else None
            repository = f"{host}/{config.name}"
            sandboxed = _sandboxed(options, config, folder, repository=repository, is_copy=like is not None)
            sandbox_config = load_configuration(scratch.tree, sandboxed)
            engine = StubImageEngine(sandbox_config.registry)
            context = RehearsalContext(
                scratch=scratch,
                options=sandboxed,
                connections=_connections(plane, engine, config),
                api=plane.api,
                reporter=session.reporter,
            )
            yield Sandbox(
                context=context,
                plane=plane,
                fixture=fixture,
                config=sandbox_config,
                engine=engine,
                pull_fault=pull_fault,
                autoscaler=autoscaler,
            )
    except EmbeddedError as error:
        raise RehearsalError(
            f"The sandbox of the rehearsal could not be created, or failed: {error}",
            remedy="Correct that and run the rehearsal again.",
        ) from error


def _clone(session: Session, folder: Path) -> ScratchRepository:
    repository, config = session.context.repository, session.context.config
    branch = config.release_branch(repository.branch())
    scratch = scratch_repository.clone(repository, folder, branch)
    if scratch.uncommitted:
        names = ", ".join(scratch.uncommitted)
        session.reporter.show_text(f"Uncommitted changes are part of this rehearsal: {names}")
    return scratch


def _sandboxed(
    options: CommandOptions, config: Config, folder: Path, *, repository: str, is_copy: bool
) -> CommandOptions:
    """Returns the same options, except that nothing leads out of the sandbox."""
    overlay = folder / "rehearsal.yaml"
    overrides = {
        "remote": scratch_repository.REMOTE,
        "github": None,
        "watch": {"minutes": None},  # simulated pods answer no requests
        "marks": {"grafana": None},
        "environments": {
            name: {
                "smoke": {"connect_to": NO_SERVER},
                "rollout": {"readiness_seconds": READINESS_SECONDS},
                "watch": {"minutes": None},
            }
            for name in config.environments
        },
    }
    overlay.write_text(json.dumps(overrides), encoding="utf-8")  # JSON is valid YAML
    given = (options.overrides or Overrides()).over(from_environment(options.environ))
    sandboxed = replace(
        given,
        files=(*given.files, overlay),
        registry=repository,
        is_insecure=True,
        context=cluster_fixture.CONTEXT,
    )
    skip = options.skip if is_copy else (PLACEHOLDERS, *options.skip)
    return replace(options, overrides=sandboxed, is_agreed=True, overwrites_edits=True, skip=skip, environ={})


def _connections(plane: ControlPlane, engine: StubImageEngine, config: Config) -> Connections:
    """Returns what leads into the sandbox; `config` is that of the real repository."""
    return Connections(
        kubeconfig=plane.kubeconfig,
        unreachable={},
        real_registry=config.registry,
        container_engine=lambda: engine,
        run_smoke=scenario.skip_smoke,
    )


def _refusal(host: str, registry: Registry, pull_fault: PullFault, image: str) -> str | None:
    """Returns why a node cannot pull an image, or None; images of other registries are not checked."""
    if not image.startswith(f"{host}/"):
        return None
    if refusal := pull_fault.refusal_of(image):
        return f"failed to resolve reference {image}: {refusal}"
    name_and_tag, _, digest = image.removeprefix(f"{host}/").partition("@")
    name, _, tag = name_and_tag.partition(":")
    try:
        existing = registry.digest(name, digest or tag or "latest")
    except RegistryError as error:
        return f"failed to resolve reference {image}: {error}"
    return None if existing else f"failed to resolve reference {image}: {image}: not found"
