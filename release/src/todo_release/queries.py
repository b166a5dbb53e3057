"""Answers questions about environments and versions: what runs where, what ran before. Changes nothing."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from semver import Version

from todo_release.artifacts import changelog, chart, release_commit, version_line, versions
from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.environments.deviations import FindDeviations, deviation_error
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.health.deployment_watch import watch_deployment
from todo_release.environments.health.judge import HealthVerdict
from todo_release.environments.history import DeploymentRecord
from todo_release.environments.smoke.builds import FindBuilds
from todo_release.environments.smoke.result import SmokeTarget
from todo_release.environments.status import RunningVersion, read_running_version
from todo_release.errors import ConfigError, HealthError, SmokeError
from todo_release.report.text import DONE, REFUSED

if TYPE_CHECKING:
    from todo_release.environments.smoke.checks import RunSmoke

DIGEST_CHARACTERS = 12
FIRST_VERSION = Version(0, 1, 0)
UNKNOWN = "?"
NOTHING = "-"
WATCH_MINUTES = 5  # of `inv watch` where release.yaml says nothing


def status(context: ReleaseContext) -> tuple[Table, Table]:
    """Returns what runs in every environment, and the image of each service.

    Raises:
        ClusterError: an environment cannot be reached.
        JournalError: its records cannot be read.
    """
    names = context.config.deploy_order()
    with ThreadPoolExecutor(len(names)) as pool:
        states = dict(zip(names, pool.map(lambda name: _read_state(context, name), names), strict=True))
    environments = Table(
        "Environments",
        ("environment", "version", "revision", "state", "verified", "since", "by"),
        tuple(_environment_row(name, *states[name]) for name in names),
    )
    images = Table(
        "Images",
        ("image", *names),
        tuple(
            (image, *(_short_digest(states[name][1], image) for name in names))
            for image in context.config.images
        ),
    )
    return environments, images


def history(context: ReleaseContext, environment: str) -> Table:
    """Returns the recorded deployments to an environment, newest first.

    Raises:
        ClusterError: the environment cannot be reached.
        JournalError: its records cannot be read.
    """
    records = context.connect(environment).records.read()
    rows = [
        (
            str(record.revision),
            record.version,
            f"{record.result}, {record.watch}" if record.watch else record.result,
            _utc_minute(record.started_at),
            duration(sum(record.seconds.values())) if record.seconds else NOTHING,
            record.by,
            _changed_images(record, records[:index]),
            record.cause or "",
        )
        for index, record in enumerate(records)
    ]
    columns = ("revision", "version", "result", "when", "took", "by", "images", "cause")
    return Table(f"History of {environment}", columns, tuple(reversed(rows)))


def verify(
    context: ReleaseContext,
    environment: str,
    run_smoke: "RunSmoke",
    find_deviations: FindDeviations,
    find_builds: FindBuilds,
) -> tuple[Table, bool]:
    """Compares what an environment runs with what was released to it, and runs its smoke checks.

    Returns their results, and whether all passed.

    Raises:
        SmokeError: something else runs than was released, or nothing although a program is given the version.
    """
    settings, url = context.config.smoke_of(environment), context.config.environment(environment).url
    running, record = _read_state(context, environment)
    if running is None and settings.needs_version:
        raise SmokeError(
            f"{environment} runs no version that the smoke checks could be given.",
            remedy=f"Run `inv deploy --env {environment} --version VERSION`.",
        )
    access = context.connect(environment)
    if running is not None and (deviations := find_deviations(access, running)):
        raise deviation_error(access, deviations)
    version = running.version if running else ""
    builds = find_builds(settings, record.digests if record else {})
    target = SmokeTarget(url, version, context.repository.root, builds)
    results = run_smoke(settings, target, lambda text, is_note=False: None)
    rows = []
    for result in results:
        rows.append((_mark(result.is_ok), result.name, duration(result.seconds), result.detail))
        rows += [
            (
                _mark(step.error is None),
                f"  {step.name}",
                f"{step.milliseconds:.0f} ms",
                step.error or step.detail or "",
            )
            for step in result.steps
        ]
    title = f"Checks of {environment} ({url})"
    return Table(title, ("", "check", "took", "saw"), tuple(rows)), all(result.is_ok for result in results)


def _mark(is_ok: bool) -> str:
    return DONE if is_ok else REFUSED


def watch(
    context: ReleaseContext, environment: str, minutes: float | None, tell: Callable[[str], None]
) -> HealthVerdict:
    """Watches what an environment runs for some minutes, by default as long as a release does.

    Raises:
        HealthError: nothing runs there.
        ClusterError: the environment cannot be reached.
    """
    settings = context.config.watch_of(environment)
    access = context.connect(environment)
    running = read_running_version(access)
    if running is None:
        raise HealthError(
            f"{environment} runs nothing that could be watched.",
            remedy=f"Run `inv deploy --env {environment} --version VERSION`.",
        )
    verdict, _ = watch_deployment(
        access,
        running,
        settings,
        minutes=minutes or settings.minutes or WATCH_MINUTES,
        now=context.now(),
        make_traffic=None,
        say=lambda text, is_note=False: tell(text),
    )
    return verdict


def version(context: ReleaseContext) -> Table:
    """Returns the last released version, the version of the chart, and the versions that may come next.

    Raises:
        ConfigError: a news fragment has no valid name.
    """
    config, repository = context.config, context.repository
    head, file = repository.head(), config.chart.file
    last = max(version_line.released_versions(repository, config), default=None)
    rows = [
        ("released", str(last) if last else NOTHING),
        ("chart", chart.read_version(repository.text_at(head, file), file)),
        ("next", str(next_version(context))),
    ]
    rows += [(kind, str(next_version(context, kind))) for kind in versions.BUMP_KINDS] if last else []
    return Table("Version", ("what", "version"), tuple(rows))


def next_version(context: ReleaseContext, kind: str | None = None) -> Version:
    """Returns the next version of a kind, by default of the kind that the news fragments ask for.

    It follows the last released version, or that of the chart if it is higher. The first one is 0.1.0.

    Raises:
        ConfigError: a news fragment has no valid name.
    """
    config, repository = context.config, context.repository
    released = version_line.released_versions(repository, config)
    own = chart.read_version(repository.text_at(repository.head(), config.chart.file), config.chart.file)
    last = max([*released, *([Version.parse(own)] if Version.is_valid(own) else [])], default=Version(0))
    if not released and last <= FIRST_VERSION:
        return FIRST_VERSION
    if kind is None:
        folder = config.changelog.fragments if config.changelog else None
        fragments = release_commit.read_fragments(repository, repository.head(), folder) if folder else []
        kind = changelog.suggest_bump(fragments)
        if kind == "major" and last.major == 0:
            kind = "minor"  # semver.org: anything may change before 1.0.0
    return versions.bump(last, kind)


def news(context: ReleaseContext) -> str:
    """Returns what the changelog will say about the next version.

    Raises:
        ConfigError: no changelog is kept, or a news fragment has no valid name.
    """
    config, repository = context.config, context.repository
    if config.changelog is None:
        raise ConfigError("No changelog is kept.", remedy="Add `changelog: {}` to release.yaml.")
    head = repository.head()
    fragments = release_commit.read_fragments(repository, head, config.changelog.fragments)
    return changelog.format_section(str(next_version(context)), repository.day_of(head), fragments).rstrip()


def _read_state(context: ReleaseContext, name: str) -> tuple[RunningVersion | None, DeploymentRecord | None]:
    access = context.connect(name)
    running = read_running_version(access)
    if running is None:
        return None, None
    records = (record for record in access.records.read() if record.revision == running.revision)
    return running, next(records, None)


def _environment_row(
    name: str, running: RunningVersion | None, record: DeploymentRecord | None
) -> tuple[str, ...]:
    if running is None:
        return (name, NOTHING, NOTHING, "never deployed", NOTHING, NOTHING, NOTHING)
    state = running.status
    if state == "deployed":
        state = "ready" if running.is_ready else "asleep" if running.is_asleep else "not ready"
    verification = (
        (UNKNOWN, UNKNOWN, UNKNOWN)
        if record is None
        else ("yes" if record.result == "verified" else "no", _utc_minute(record.started_at), record.by)
    )
    return (name, running.version, str(running.revision), state, *verification)


def _short_digest(record: DeploymentRecord | None, image: str) -> str:
    digest = record.digests.get(image) if record else None
    return digest.removeprefix("sha256:")[:DIGEST_CHARACTERS] if digest else NOTHING


def _changed_images(record: DeploymentRecord, earlier: Sequence[DeploymentRecord]) -> str:
    """Returns the names of the images that differ from the deployment before."""
    if not earlier:
        return "all"
    changed = [name for name, digest in record.digests.items() if earlier[-1].digests.get(name) != digest]
    return ", ".join(changed) or "none"


def _utc_minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
