"""Goes back to a version that worked, by its name: what that undoes, whether it can, and the plan for it."""

from dataclasses import dataclass

from todo_release import chart, versions
from todo_release.chart import ImageReference
from todo_release.environments import Operator, running_in
from todo_release.errors import PromotionError, RegistryError, ReleaseError, VersionError
from todo_release.plan import Plan
from todo_release.records import Record, is_verified
from todo_release.registry import Registry
from todo_release.steps import Confirm, Deploy, Verify

SHORT = 12
NAMED_COMMITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFacts:
    """What a rollback looks at: `missing` are the images of the version asked for that the registry lost,
    `commits` the subjects of the commits it takes back, `migrations` the migration files among them."""

    environment: str
    running: str
    wanted: str
    is_known: bool
    is_verified: bool
    needs_confirmation: bool
    now: dict[str, ImageReference]
    then: dict[str, ImageReference]
    missing: tuple[str, ...]
    commits: tuple[str, ...]
    migrations: tuple[str, ...]


def choose(records: list[Record], running: str, revision: int) -> str:
    """The version to go back to when none was named: the newest verified one that is not the one running.

    Raises:
        VersionError: there is none.
    """
    for record in reversed(records):
        if record.result == "verified" and record.version != running and record.revision < revision:
            return record.version
    raise VersionError(
        f"No version before {running} was verified here.",
        remedy="Name one with --version; see `inv history`.",
    )


def survey(operator: Operator, registry: Registry, environment: str, version: str | None) -> RollbackFacts:
    """Look at what a rollback needs to know; `version` None takes the last verified one.

    Raises:
        VersionError: nothing was deployed there, or there is no version to go back to.
    """
    config, repository, access = operator.config, operator.repository, operator.reach(environment)
    running = running_in(access)
    if running is None:
        raise VersionError(f"Nothing was ever deployed to {environment}.", remedy="Run `inv release` first.")
    records = access.records.read()
    wanted = str(versions.parse(version)) if version else choose(records, running.version, running.revision)
    tags = repository.tags()
    old, new = (tags.get(versions.tag_of(versions.parse(each))) for each in (wanted, running.version))
    then = _images(operator, old)
    digests = {name: image.digest for name, image in then.items()}
    return RollbackFacts(
        environment=environment,
        running=running.version,
        wanted=wanted,
        is_known=old is not None,
        is_verified=is_verified(records, wanted, digests),
        needs_confirmation=access.settings.confirm,
        now=_images(operator, new),
        then=then,
        missing=tuple(
            name
            for name, image in then.items()
            if registry.digest(config.registry.path(name), image.digest) is None
        ),
        commits=repository.subjects(old, new) if old and new else (),
        migrations=repository.changed_between(old, new, config.migrations) if old and new else (),
    )


def plan(facts: RollbackFacts) -> Plan:
    """Plan to deploy the older version, after saying what that takes back."""
    environment, wanted = facts.environment, facts.wanted
    steps = [
        Deploy(environment=environment, version=wanted, reason=f"{facts.running} runs there"),
        Verify(environment=environment, version=wanted, reason="an older version must pass the same checks"),
    ]
    confirm = Confirm(environment=environment, version=wanted, reason="release.yaml asks for it")
    return Plan(
        version=wanted,
        findings=_findings(facts),
        steps=(confirm, *steps) if facts.needs_confirmation else tuple(steps),
        refusals=_refusals(facts),
    )


def _findings(facts: RollbackFacts) -> tuple[str, ...]:
    found = [f"{facts.environment} goes from {facts.running} back to {facts.wanted}"]
    for name, image in facts.then.items():
        now = facts.now.get(name)
        if now is not None and now.digest != image.digest:
            found.append(f"{name}: {_short(now)} -> {_short(image)}")
    if facts.commits:
        more = len(facts.commits) - NAMED_COMMITS
        named = "; ".join(facts.commits[:NAMED_COMMITS]) + (f"; and {more} more" if more > 0 else "")
        found.append(f"takes back {len(facts.commits)} commits: {named}")
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


def _images(operator: Operator, commit: str | None) -> dict[str, ImageReference]:
    if commit is None:
        return {}
    config = operator.config
    text = operator.repository.text_at(commit, config.chart.values)
    return {
        name: chart.read_image(text, config.chart.values, image.values)
        for name, image in config.images.items()
    }


def _short(image: ImageReference) -> str:
    return image.digest.removeprefix("sha256:")[:SHORT]
