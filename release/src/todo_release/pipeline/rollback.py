"""Goes back to a version that worked, by its name: what that undoes, whether it can, and the plan for it."""

from dataclasses import dataclass

from todo_release.adapters.registry.client import Registry
from todo_release.artifacts import versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.images import committed_images
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.history import Record, is_verified
from todo_release.environments.status import running_in
from todo_release.errors import ConfigError, PromotionError, RegistryError, ReleaseError, VersionError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Confirm, Deploy, Verify

SHORT = 12
NAMED_COMMITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFacts:
    """What a rollback looks at: `missing` are the images of the version asked for that the registry lost,
    `commits` the subjects of the commits it takes back, `migrations` the migration files among them."""

    environment: str
    running: str
    wanted: str
    service: str | None
    is_known: bool
    is_verified: bool
    needs_confirmation: bool
    now: dict[str, ImageReference]
    then: dict[str, ImageReference]
    missing: tuple[str, ...]
    commits: tuple[str, ...]
    migrations: tuple[str, ...]


def choose(records: list[Record], running: str, revision: int, service: str | None) -> str:
    """The version to go back to when none was named: the newest verified one that is not the one running.

    For one service it is the newest one in which that service was another.

    Raises:
        VersionError: there is none.
    """
    now = next((one.digests.get(service or "") for one in records if one.revision == revision), None)
    for record in reversed(records):
        is_other = record.digests.get(service) != now if service else record.version != running
        if record.result == "verified" and record.revision < revision and is_other:
            return record.version
    raise VersionError(
        f"No version before {running} was verified here{f' with another {service}' if service else ''}.",
        remedy="Name one with --version; see `inv history`.",
    )


def survey(
    context: ReleaseContext,
    registry: Registry,
    environment: str,
    version: str | None = None,
    service: str | None = None,
) -> RollbackFacts:
    """Look at what a rollback of everything, or of one service's image, needs to know.

    `version` None takes the last verified one.

    Raises:
        ConfigError: there is no such service.
        VersionError: nothing was deployed there, or there is no version to go back to.
    """
    config, repository, access = context.config, context.repository, context.reach(environment)
    if service is not None and service not in config.images:
        raise ConfigError(
            f"There is no image {service!r}.", remedy=f"Choose one of: {', '.join(config.images)}."
        )
    running = running_in(access)
    if running is None:
        raise VersionError(f"Nothing was ever deployed to {environment}.", remedy="Run `inv release` first.")
    records = access.records.read()
    wanted = (
        str(versions.parse(version))
        if version
        else choose(records, running.version, running.revision, service)
    )
    tags = repository.tags()
    old, new = (tags.get(versions.tag_of(versions.parse(each))) for each in (wanted, running.version))
    then = committed_images(repository, config, old) if old else {}
    concerned = [name for name in then if service in {None, name}]
    inputs = config.images[service].inputs if service else ()
    return RollbackFacts(
        environment=environment,
        running=running.version,
        wanted=wanted,
        service=service,
        is_known=old is not None,
        is_verified=is_verified(records, wanted, {name: image.digest for name, image in then.items()}),
        needs_confirmation=access.settings.confirm,
        now=committed_images(repository, config, new) if new else {},
        then={name: then[name] for name in concerned},
        missing=tuple(
            name
            for name in concerned
            if registry.digest(config.registry.path(name), then[name].digest) is None
        ),
        commits=repository.subjects(old, new, inputs) if old and new else (),
        migrations=repository.changed_between(old, new, config.migrations) if old and new else (),
    )


def plan(facts: RollbackFacts) -> Plan:
    """Plan to deploy the older version, or the running one with one older image, after saying what that
    undoes.
    """
    environment = facts.environment
    version, pins = (facts.running, {facts.service: facts.wanted}) if facts.service else (facts.wanted, {})
    steps = [
        Deploy(environment=environment, version=version, pins=pins, reason=f"{facts.running} runs there"),
        Verify(environment=environment, version=version, reason="what is older must pass the same checks"),
    ]
    confirm = Confirm(environment=environment, version=version, reason="release.yaml asks for it")
    return Plan(
        version=version,
        findings=_findings(facts),
        steps=(confirm, *steps) if facts.needs_confirmation else tuple(steps),
        refusals=_refusals(facts),
    )


def _findings(facts: RollbackFacts) -> tuple[str, ...]:
    what = f"{facts.service} in {facts.environment}" if facts.service else facts.environment
    found = [f"{what} goes from {facts.running} back to {facts.wanted}"]
    for name, image in facts.then.items():
        now = facts.now.get(name)
        if now is not None and now.digest != image.digest:
            found.append(f"{name}: {_short(now)} -> {_short(image)}")
    if facts.commits:
        more = len(facts.commits) - NAMED_COMMITS
        named = "; ".join(facts.commits[:NAMED_COMMITS]) + (f"; and {more} more" if more > 0 else "")
        count = len(facts.commits)
        found.append(f"takes back {count} commit{'' if count == 1 else 's'}: {named}")
    if facts.migrations:
        found.append(f"crosses migrations, whose changes to data stay: {', '.join(facts.migrations)}")
    return tuple(found)


def _refusals(facts: RollbackFacts) -> tuple[ReleaseError, ...]:
    refusals: list[ReleaseError] = []
    if not facts.is_known:
        refusals.append(
            VersionError(f"There is no tag of {facts.wanted} here.", remedy="Run `git fetch --tags`.")
        )
    elif not facts.is_verified:
        refusals.append(
            PromotionError(
                f"{facts.wanted} was never verified in {facts.environment}.",
                remedy=f"Choose one that was; see `inv history --env {facts.environment}`.",
            )
        )
    if facts.missing:
        refusals.append(
            RegistryError(
                f"The registry no longer has the images of {facts.wanted}: {', '.join(facts.missing)}.",
                remedy="Choose a later version, or restore them.",
            )
        )
    return tuple(refusals)


def _short(image: ImageReference) -> str:
    return image.digest.removeprefix("sha256:")[:SHORT]
