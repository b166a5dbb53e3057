"""Puts a rehearsal together: a scratch clone, a registry, a cluster, the acts, and the report."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from todo_embedded.controlplane.plane import Plane
from todo_embedded.errors import EmbeddedError
from todo_embedded.registry import image_registry
from todo_release import journal, versions
from todo_release.config import Config
from todo_release.errors import RehearsalError, ReleaseError
from todo_release.overrides import Overrides, from_environment
from todo_release.rehearsal import acts, scratch, site, twin
from todo_release.rehearsal.acts import Act, Stage
from todo_release.rehearsal.faults import Pulls, Scene, named
from todo_release.rehearsal.images import StandInEngine
from todo_release.rehearsal.report import NOT_SHOWN, Outcome
from todo_release.rehearsal.site import Site
from todo_release.rehearsal.trials import Trial, attempt, table
from todo_release.report.reporter import Reporter
from todo_release.session import Options, Session, World, configuration

if TYPE_CHECKING:
    from todo_release.preflight.inspecting import Inspection

FOLDER = "rehearsal"
# Nobody looks up the public names, which lead elsewhere or nowhere, and nothing is announced.
NOWHERE = "127.0.0.1:1"
PLACEHOLDERS = "hygiene=a rehearsal may have placeholders where no cluster is configured"
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Theatre:
    """A world for rehearsals that is up; `engine` and `pulls` let images into its registry and out of it."""

    stage: Stage
    plane: Plane
    site: Site
    config: Config
    engine: StandInEngine
    pulls: Pulls


def rehearse(
    session: Session, options: Options, version: str, *, last: str | None, like: str | None
) -> Outcome:
    """Rehearse the release of a version, show it as it goes, and write the report beside the journal.

    `last` is the last environment to release to, `like` the environment whose live cluster is the model.

    Raises:
        RehearsalError: the rehearsal's own world could not be made.
    """
    began = time.monotonic()
    reporter, root = session.reporter, session.operator.repository.root
    with open_theatre(session, options, like) as theatre:
        outcome = _play(theatre, version, last)
        outcome = replace(outcome, seconds=time.monotonic() - began)
        folder = root / journal.FOLDER / FOLDER / version
        shutil.rmtree(folder, ignore_errors=True)
        kept = theatre.stage.scratch.tree / journal.FOLDER
        if kept.exists():
            shutil.copytree(kept, folder)
        page = outcome.write(folder)
    _show(outcome, reporter)
    reporter.say(f"Report: {page}")
    return outcome


def try_faults(
    session: Session, options: Options, version: str, names: tuple[str, ...], *, like: str | None
) -> tuple[Trial, ...]:
    """Try faults in one world, each with a version of its own from `version` on, and show what came of them.

    Raises:
        ConfigError: there is no such fault.
        RehearsalError: the rehearsal's own world could not be made, or what runs before could not be set up.
    """
    reporter, config = session.reporter, session.operator.config
    first = config.deploy_order()[0]
    faults = named(names, ("commit", "tag", f"deploy:{first}", f"verify:{first}"))
    trials: list[Trial] = []
    with open_theatre(session, options, like) as theatre:
        stage = theatre.stage
        before = acts.install(stage)
        scene = Scene(
            api=theatre.plane.api,
            site=theatre.site,
            settings=theatre.config.environments[first],
            engine=theatre.engine,
            pulls=theatre.pulls,
            befall=theatre.plane.fates.set_faults,
        )
        dockerfiles = sorted({image.dockerfile for image in theatre.config.images.values()})
        asked = versions.parse(version)
        for fault in faults:
            reporter.say(f"Fault {fault.name}: {fault.told}")
            stage.scratch.change(dockerfiles)
            trials.append(attempt(stage, scene, fault, str(asked), before))
            before = before if trials[-1].error else str(asked)
            asked = versions.bump(asked, "patch")
    reporter.show(table(trials))
    return tuple(trials)


@contextmanager
def open_theatre(session: Session, options: Options, like: str | None) -> Iterator[Theatre]:
    """Make the world: all of it lies in a temporary folder and ends with the block.

    Raises:
        RehearsalError: a part could not be built or started.
        ReleaseError: the repository, release.yaml or the live cluster are not as they must be.
    """
    config, say = session.operator.config, session.reporter.say
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
            cloned = scratch.clone(session.operator.repository, folder, config.branch)
            if cloned.extra:
                say(f"Not committed yet, rehearsed as if it were: {', '.join(cloned.extra)}")
            host = stack.enter_context(image_registry(progress=say))
            furnished = (
                twin.of_cluster(session.operator.reach(like), config, host)
                if like
                else site.of_config(config, cloned.tree, host)
            )
            pulls = Pulls()
            plane = stack.enter_context(
                site.running(furnished, folder, image_check=partial(_refusal, host, pulls), progress=say)
            )
            inside = _options(
                options, config, folder, repository=f"{host}/{config.name}", is_twin=like is not None
            )
            rehearsed = configuration(cloned.tree, inside)
            engine = StandInEngine(rehearsed.registry)
            world = World(
                kubeconfig=plane.kubeconfig, container_engine=lambda: engine, judge=acts.judge_nothing
            )
            stage = Stage(
                scratch=cloned, options=inside, world=world, api=plane.api, reporter=session.reporter
            )
            yield Theatre(
                stage=stage, plane=plane, site=furnished, config=rehearsed, engine=engine, pulls=pulls
            )
    except EmbeddedError as error:
        raise RehearsalError(
            f"The rehearsal's own world could not be made: {error}", remedy="Correct that and rehearse again."
        ) from error


def _play(theatre: Theatre, version: str, last: str | None) -> Outcome:
    stage, order = theatre.stage, theatre.config.deploy_order()
    final = last or order[-1]
    steps: dict[str, float] = {}
    played: list[Act] = []
    notes: list[str] = []
    after: Inspection | None = None

    def release() -> str:
        told, seconds = acts.release(stage, version, last)
        steps.update(seconds)
        return told

    earlier = acts.play("what runs before", lambda: f"{acts.install(stage, final)} in {final}")
    if earlier.error:
        notes.append(
            f"what was released before could not be set up ({earlier.told}): no rollback was rehearsed"
        )
        stage.scratch.check_out(stage.scratch.head)
    else:
        played.append(earlier)
    stage.inspections.clear()
    played.append(acts.play(f"release {version}", release))
    inspections = tuple(stage.inspections)
    if played[-1].error is None:
        with stage.session() as session:
            after = session.inspect(final, version)
        played.append(acts.play("the same command again", lambda: acts.repeat(stage, version, last)))
        if earlier.error is None:
            played.append(acts.play(f"roll {final} back", lambda: acts.undo(stage, final)))
    failed: ReleaseError | None = next((act.error for act in played if act.error), None)
    return Outcome(
        version=version,
        site=theatre.site.told,
        acts=tuple(played),
        steps=steps,
        inspections=inspections,
        after=after,
        notes=tuple(notes),
        failed=failed,
    )


def _show(outcome: Outcome, reporter: Reporter) -> None:
    for line in outcome.findings():
        reporter.say(line)
    for one in (*outcome.nodes_tables(), outcome.steps_table(), outcome.acts_table()):
        reporter.show(one)
    for line in outcome.notes:
        reporter.say(f"Note: {line}.")
    reporter.say("Not shown: " + "; ".join(NOT_SHOWN) + ".")
    reporter.say(outcome.verdict)


def _options(options: Options, config: Config, folder: Path, *, repository: str, is_twin: bool) -> Options:
    """The same options, but for what leads out of the rehearsal's world."""
    overlay = folder / "rehearsal.yaml"
    apart = {
        "remote": scratch.REMOTE,
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
        context=site.CONTEXT,
    )
    skip = options.skip if is_twin else (PLACEHOLDERS, *options.skip)
    return replace(options, overrides=inside, is_agreed=True, skip=skip, environ={})


def _refusal(host: str, pulls: Pulls, image: str) -> str | None:
    """Why a node cannot have an image; of other registries nothing is asked."""
    if not image.startswith(f"{host}/"):
        return None
    if refused := pulls.refuse(image):
        return f"failed to resolve reference {image}: {refused}"
    name, _, digest = image.removeprefix(f"{host}/").partition("@")
    try:
        answer = httpx2.head(f"http://{host}/v2/{name}/manifests/{digest}", timeout=ANSWER_SECONDS)
    except httpx2.HTTPError as error:
        return f"failed to resolve reference {image}: {error}"
    return None if answer.is_success else f"failed to resolve reference {image}: {image}: not found"
