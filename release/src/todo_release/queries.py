"""Questions about environments: what runs where, and what ran before. Nothing is changed."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from semver import Version

from todo_release.artifacts import changelog, chart, release_commit, versions
from todo_release.core.formatting import duration
from todo_release.core.tables import Table
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.history import Record
from todo_release.environments.status import Running, running_in
from todo_release.errors import ConfigError
from todo_release.report.text import DONE, REFUSED

if TYPE_CHECKING:
    from todo_release.environments.smoke.checks import RunSmoke

SHORT = 12
UNKNOWN = "?"
NOTHING = "-"


def status(context: ReleaseContext) -> tuple[Table, Table]:
    """What runs in every environment, and which image of each service.

    Raises:
        ClusterError: an environment cannot be reached.
        JournalError: its records cannot be read.
    """
    names = context.config.deploy_order()
    with ThreadPoolExecutor(len(names)) as pool:
        looked = dict(zip(names, pool.map(lambda name: _look(context, name), names), strict=True))
    environments = Table(
        "Environments",
        ("environment", "version", "revision", "state", "verified", "since", "by"),
        tuple(_environment_row(name, *looked[name]) for name in names),
    )
    images = Table(
        "Images",
        ("image", *names),
        tuple(
            (image, *(_digest(looked[name][1], image) for name in names)) for image in context.config.images
        ),
    )
    return environments, images


def history(context: ReleaseContext, environment: str) -> Table:
    """Every deployment to an environment that is still recorded, newest first.

    Raises:
        ClusterError: the environment cannot be reached.
        JournalError: its records cannot be read.
    """
    records = context.reach(environment).records.read()
    rows = [
        (
            str(record.revision),
            record.version,
            record.result,
            _instant(record.started_at),
            duration(sum(record.seconds.values())) if record.seconds else NOTHING,
            record.by,
            _changes(record, records[:index]),
            record.cause or "",
        )
        for index, record in enumerate(records)
    ]
    columns = ("revision", "version", "result", "when", "took", "by", "images", "cause")
    return Table(f"History of {environment}", columns, tuple(reversed(rows)))


def verify(context: ReleaseContext, environment: str, run_smoke: "RunSmoke") -> tuple[Table, bool]:
    """What the smoke checks of an environment saw, and whether all of them passed. Nothing is recorded."""
    spec, url = context.config.smoke_of(environment), context.config.environment(environment).url
    results = run_smoke(spec, url, lambda text, is_note=False: None)
    rows = tuple(
        (DONE if one.is_ok else REFUSED, one.name, duration(one.seconds), one.detail) for one in results
    )
    title = f"Checks of {environment} ({url})"
    return Table(title, ("", "check", "took", "saw"), rows), all(one.is_ok for one in results)


def version(context: ReleaseContext) -> Table:
    """The last version released, the one in the chart, and what may come next.

    Raises:
        ConfigError: a news fragment is none.
    """
    config, repository = context.config, context.repository
    head, file = repository.head(), config.chart.file
    last = next(iter(reversed(versions.of_tags(repository.tags()))), None)
    rows = [
        ("released", str(last) if last else NOTHING),
        ("chart", chart.read_version(repository.text_at(head, file), file)),
        ("next", str(following(context))),
    ]
    rows += [(kind, str(versions.bump(last, kind))) for kind in versions.KINDS] if last else []
    return Table("Version", ("what", "version"), tuple(rows))


def following(context: ReleaseContext, kind: str | None = None) -> Version:
    """The next version of a kind; None takes the kind that the news fragments ask for, 0.1.0 the first time.

    Raises:
        ConfigError: a news fragment is none.
    """
    config, repository = context.config, context.repository
    released = versions.of_tags(repository.tags())
    if not released:
        return Version(0, 1, 0)
    if kind is None:
        folder = config.changelog.fragments if config.changelog else None
        fragments = release_commit.fragments_at(repository, repository.head(), folder) if folder else []
        kind = changelog.kind_of_version(fragments)
        if kind == "major" and released[-1].major == 0:
            kind = "minor"  # semver.org: anything may change before 1.0.0
    return versions.bump(released[-1], kind)


def news(context: ReleaseContext) -> str:
    """What the changelog will say of the next version.

    Raises:
        ConfigError: no changelog is kept, or a news fragment is none.
    """
    config, repository = context.config, context.repository
    if config.changelog is None:
        raise ConfigError("No changelog is kept.", remedy="Add `changelog: {}` to release.yaml.")
    head = repository.head()
    fragments = release_commit.fragments_at(repository, head, config.changelog.fragments)
    return changelog.section(str(following(context)), repository.day_of(head), fragments).rstrip()


def _look(context: ReleaseContext, name: str) -> tuple[Running | None, Record | None]:
    access = context.reach(name)
    running = running_in(access)
    if running is None:
        return None, None
    found = [record for record in access.records.read() if record.revision == running.revision]
    return running, found[0] if found else None


def _environment_row(name: str, running: Running | None, record: Record | None) -> tuple[str, ...]:
    if running is None:
        return (name, NOTHING, NOTHING, "never deployed", NOTHING, NOTHING, NOTHING)
    state = running.status
    if state == "deployed":
        state = "ready" if running.is_ready else "not ready"
    about = (
        (UNKNOWN, UNKNOWN, UNKNOWN)
        if record is None
        else ("yes" if record.result == "verified" else "no", _instant(record.started_at), record.by)
    )
    return (name, running.version, str(running.revision), state, *about)


def _digest(record: Record | None, image: str) -> str:
    digest = record.digests.get(image) if record else None
    return digest.removeprefix("sha256:")[:SHORT] if digest else NOTHING


def _changes(record: Record, before: Sequence[Record]) -> str:
    """Which images differ from what was deployed before."""
    if not before:
        return "all"
    changed = [name for name, digest in record.digests.items() if before[-1].digests.get(name) != digest]
    return ", ".join(changed) or "none"


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
