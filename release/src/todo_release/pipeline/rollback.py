"""Plans a rollback: chooses the target version, says what it undoes, and refuses what cannot work."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from todo_release.adapters.registry.client import Registry
from todo_release.artifacts import versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.images import read_committed_images
from todo_release.config.model import Config
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.history import DeploymentRecord, is_known_by_helm, is_verified
from todo_release.environments.status import read_running_version
from todo_release.errors import ConfigError, PromotionError, RegistryError, ReleaseError, VersionError
from todo_release.pipeline.plan import Plan
from todo_release.pipeline.steps import Confirm, Deploy, Verify

DIGEST_CHARACTERS = 12
NAMED_COMMITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFacts:
    """Everything that a rollback plan depends on.

    `missing_images` are images of the target version that the registry no longer has. `commits` are the
    subjects of the commits that the rollback undoes, `migrations` the migration files that these commits
    changed.
    """

    environment: str
    running_version: str
    running_revision: int
    target_version: str
    service: str | None
    is_known: bool
    is_verified: bool
    needs_confirmation: bool
    running_images: dict[str, ImageReference]
    target_images: dict[str, ImageReference]
    missing_images: tuple[str, ...]
    commits: tuple[str, ...]
    migrations: tuple[str, ...]


def choose_version(
    records: list[DeploymentRecord], running_version: str, revision: int, service: str | None
) -> str:
    """Returns the newest verified version that differs from the running one.

    For one service it is the newest version in which the image of that service was another one. When no
    verification is recorded because the records were lost, it is the newest one that Helm calls working.

    Raises:
        VersionError: there is none.
    """
    current_digest = next(
        (record.digests.get(service or "") for record in records if record.revision == revision), None
    )
    different = [
        record
        for record in reversed(records)
        if record.revision < revision
        and (record.digests.get(service) != current_digest if service else record.version != running_version)
    ]
    verified = (record.version for record in different if record.result == "verified")
    working = (record.version for record in different if is_known_by_helm(record))
    if (version := next(verified, None) or next(working, None)) is not None:
        return version
    other_image = f" with another {service}" if service else ""
    raise VersionError(
        f"No version before {running_version} was verified here{other_image}.",
        remedy="Name one with --version; see `inv history`.",
    )


def survey(
    context: ReleaseContext,
    registry: Registry,
    environment: str,
    version: str | None = None,
    service: str | None = None,
) -> RollbackFacts:
    """Reads the facts for a rollback of everything, or of the image of one service.

    Without `version` the target is the last verified version.

    Raises:
        ConfigError: there is no such service.
        VersionError: nothing was deployed there, or there is no version to go back to.
    """
    config, repository, access = context.config, context.repository, context.connect(environment)
    if service is not None and service not in config.images:
        raise ConfigError(
            f"There is no image {service!r}.", remedy=f"Choose one of: {', '.join(config.images)}."
        )
    running = read_running_version(access)
    if running is None:
        raise VersionError(f"Nothing was ever deployed to {environment}.", remedy="Run `inv release` first.")
    records = access.records.read()
    if version:
        target_version = str(versions.parse(version))
    else:
        target_version = choose_version(records, running.version, running.revision, service)
    tags = repository.tags()
    target_commit, running_commit = (
        # Another tool may have deployed what runs, by a name that is no version.
        tags.get(f"{config.tag_prefix}{text}")
        for text in (target_version, running.version)
    )
    target_images = read_committed_images(repository, config, target_commit) if target_commit else {}
    affected = [name for name in target_images if service in {None, name}]
    inputs = config.images[service].inputs if service else ()
    digests = {name: image.identity for name, image in target_images.items()}
    commits, migrations = _undone_changes(context, target_commit, running_commit, inputs)
    return RollbackFacts(
        environment=environment,
        running_version=running.version,
        running_revision=running.revision,
        target_version=target_version,
        service=service,
        is_known=target_commit is not None,
        is_verified=is_verified(records, target_version, digests)
        or any(record.version == target_version and is_known_by_helm(record) for record in records),
        needs_confirmation=access.settings.confirm,
        running_images=read_committed_images(repository, config, running_commit) if running_commit else {},
        target_images={name: target_images[name] for name in affected},
        missing_images=_missing_images(config, registry, {name: target_images[name] for name in affected}),
        commits=commits,
        migrations=migrations,
    )


def _missing_images(
    config: Config, registry: Registry, images: Mapping[str, ImageReference]
) -> tuple[str, ...]:
    """Returns the images that the registry does not have any more; it is asked for all at once."""
    with ThreadPoolExecutor(max(len(images), 1)) as pool:
        digests = pool.map(
            lambda name: registry.digest(config.registry.path(name), images[name].identity), images
        )
        return tuple(name for name, digest in zip(images, digests, strict=True) if digest is None)


def _undone_changes(
    context: ReleaseContext, target_commit: str | None, running_commit: str | None, inputs: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the subjects of the commits and the migration files between two versions, if both are known."""
    if target_commit is None or running_commit is None:
        return (), ()
    repository = context.repository
    return (
        repository.subjects(target_commit, running_commit, inputs),
        repository.changed_between(target_commit, running_commit, context.config.migrations),
    )


def plan(facts: RollbackFacts) -> Plan:
    """Plans to deploy the older version, or the running one with the older image of one service."""
    environment = facts.environment
    version, pins = facts.target_version, {}
    if facts.service:
        version, pins = facts.running_version, {facts.service: facts.target_version}
    steps = [
        Deploy(
            environment=environment,
            version=version,
            pins=pins,
            reason=f"{facts.running_version} runs there",
            running_version=facts.running_version,
            running_revision=facts.running_revision,
            is_agreed=True,
            allows_downgrade=True,
        ),
        Verify(environment=environment, version=version, reason="an older version must pass the same checks"),
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
    findings = [f"{what} goes from {facts.running_version} back to {facts.target_version}"]
    for name, image in facts.target_images.items():
        running_image = facts.running_images.get(name)
        if running_image is not None and running_image.identity != image.identity:
            findings.append(f"{name}: {_short_digest(running_image)} -> {_short_digest(image)}")
    if facts.commits:
        count = len(facts.commits)
        more = f"; and {count - NAMED_COMMITS} more" if count > NAMED_COMMITS else ""
        subjects = "; ".join(facts.commits[:NAMED_COMMITS]) + more
        findings.append(f"takes back {count} commit{'' if count == 1 else 's'}: {subjects}")
    if facts.migrations:
        findings.append(f"crosses migrations, whose changes to data stay: {', '.join(facts.migrations)}")
    return tuple(findings)


def _refusals(facts: RollbackFacts) -> tuple[ReleaseError, ...]:
    refusals: list[ReleaseError] = []
    if not facts.is_known:
        refusals.append(
            VersionError(f"There is no tag of {facts.target_version} here.", remedy="Run `git fetch --tags`.")
        )
    elif not facts.is_verified:
        refusals.append(
            PromotionError(
                f"{facts.target_version} was never verified in {facts.environment}.",
                remedy=f"Choose one that was; see `inv history --env {facts.environment}`.",
            )
        )
    if facts.missing_images:
        refusals.append(
            RegistryError(
                f"The registry no longer has the images of {facts.target_version}: "
                f"{', '.join(facts.missing_images)}.",
                remedy="Choose a later version, or restore them.",
            )
        )
    return tuple(refusals)


def _short_digest(image: ImageReference) -> str:
    return image.identity.removeprefix("sha256:")[:DIGEST_CHARACTERS]
