"""Looks at git, the registry and the environments, all at the same time, and writes down the facts for a
plan.

Nothing is changed. What cannot be looked at becomes a problem among the facts, so that one unreachable
cluster does not hide what is wrong with the work tree.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from todo_release.adapters.git import RemoteRefs
from todo_release.artifacts import chart, images, release_commit, versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import prepare
from todo_release.artifacts.images import Inputs
from todo_release.artifacts.release_commit import Edits
from todo_release.environments import history as records_of
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.preview import preview
from todo_release.environments.status import running_in
from todo_release.errors import ReleaseError, RepositoryError
from todo_release.pipeline.facts import (
    AnnouncementFacts,
    ChartFacts,
    EnvironmentFacts,
    Facts,
    GitFacts,
    ImageFacts,
)

if TYPE_CHECKING:
    from todo_release.adapters.github import GitHub
    from todo_release.adapters.registry.client import Registry

PARALLEL_LOOKS = 8


def survey(
    context: ReleaseContext,
    registry: "Registry",
    version: str,
    environments: Sequence[str],
    github: "GitHub | None" = None,
) -> Facts:
    """The facts for releasing a version to some environments; `github` is asked whether it was announced.

    Raises:
        ConfigError: release.yaml names inputs, files or values that are not there.
        RepositoryError: the work tree is none, or its remote does not answer.
        VersionError: `version` is no semantic version.
    """
    tag = versions.tag_of(versions.parse(version))
    config, repository = context.config, context.repository
    with ThreadPoolExecutor(PARALLEL_LOOKS) as pool:
        remote_later = pool.submit(repository.remote_refs, config.remote) if config.remote else None
        tags = repository.tags()
        commit = tags.get(tag)
        address_later = pool.submit(github.release, tag) if github else None
        sites_later = [pool.submit(_environment, context, name, version, commit) for name in environments]
        inputs_later = {name: pool.submit(images.read, repository, config, name) for name in config.images}
        past_later = pool.submit(_past, context, commit or _last_commit(tags))
        dirty_later = pool.submit(repository.dirty)
        inputs = {name: read.result() for name, read in inputs_later.items()}
        lookups = {
            name: pool.submit(_lookup, registry, config.registry.path(name), inputs[name].tag, tag)
            for name in config.images
        }
        past, dirty = past_later.result(), dirty_later.result()
        remote = remote_later.result() if remote_later else None
        found = {name: lookup.result() for name, lookup in lookups.items()}
        sites = [site.result() for site in sites_later]
        address = address_later.result() if address_later else None
    references = {
        name: ImageReference(config.registry.reference(name), inputs[name].tag, digest)
        for name, (digest, _, _) in found.items()
        if digest is not None
    }
    has_all = len(references) == len(config.images)
    changes = (
        release_commit.edits(repository, config, version, references) if has_all and commit is None else None
    )
    previewed = _previews(
        context,
        [site for site, problem in sites if problem is None],
        version=version,
        commit=commit,
        inputs=inputs,
        digests={name: digest for name, (digest, _, _) in found.items()},
    )
    problems = _distinct(
        [
            _anonymity(context) if commit is None else None,
            *(problem for _, _, problem in found.values()),
            *(problem for _, problem in sites),
            *(problem for _, problem in previewed.values()),
        ]
    )
    return Facts(
        git=replace(
            _git(context, tag, tags, remote),
            # What an interrupted run of this very release wrote is no dirt.
            unexpected=tuple(
                path for path in dirty if not release_commit.is_applied(repository.root, changes or {}, path)
            ),
            changed=past.all_changed if commit else (),
        ),
        images=_images(context, past, inputs, found),
        chart=_chart(context, version, changes),
        environments=tuple(
            replace(site, changes=previewed.get(site.name, ((), None))[0]) for site, _ in sites
        ),
        announcement=AnnouncementFacts(repository=config.github, address=address)
        if github and config.github
        else None,
        problems=problems,
    )


def _anonymity(context: ReleaseContext) -> RepositoryError | None:
    """That git does not know who would commit, if so."""
    try:
        context.repository.author()
    except RepositoryError as problem:
        return problem
    return None


def _git(context: ReleaseContext, tag: str, tags: dict[str, str], remote: RemoteRefs | None) -> GitFacts:
    repository, config = context.repository, context.config
    head, branch = repository.head(), repository.branch()
    commit = tags.get(tag)
    remote_head = remote.branches.get(config.branch) if remote else None
    known = {*tags, *(remote.tags if remote else ())} - {tag}
    return GitFacts(
        head=head,
        branch=branch,
        release_branch=config.branch,
        remote=config.remote,
        released=tuple(str(version) for version in versions.of_tags(known)),
        tag_commit=commit,
        remote_tag_commit=remote.tags.get(tag) if remote else None,
        is_behind_remote=remote_head is not None and not repository.is_ancestor(remote_head, head),
        is_shallow=repository.is_shallow(),
    )


@dataclass(frozen=True, slots=True)
class _Past:
    """What an earlier release, if any, was made of: its images, and the paths that changed since in the
    inputs of each image and in the chart.
    """

    images: dict[str, ImageReference]
    changed: dict[str, tuple[str, ...]]
    chart_changed: tuple[str, ...]

    @property
    def all_changed(self) -> tuple[str, ...]:
        """Every path that changed."""
        return tuple(sorted({*self.chart_changed, *(path for one in self.changed.values() for path in one)}))


def _past(context: ReleaseContext, commit: str | None) -> _Past:
    if commit is None:
        return _Past({}, {}, ())
    config, repository = context.config, context.repository
    return _Past(
        _images_of(context, commit),
        {
            name: repository.changed_since(commit, image.inputs, image.exclude)
            for name, image in config.images.items()
        },
        repository.changed_since(commit, [config.chart.path, config.chart.values]),
    )


def _images(
    context: ReleaseContext,
    past: _Past,
    inputs: dict[str, Inputs],
    found: dict[str, tuple[str | None, str | None, ReleaseError | None]],
) -> tuple[ImageFacts, ...]:
    config = context.config
    return tuple(
        ImageFacts(
            name=name,
            context=image.context,
            repository=config.registry.reference(name),
            content_id=inputs[name].content_id,
            digest=digest,
            changed=past.changed.get(name),
            last=past.images.get(name),
            is_named=digest is not None and named == digest,
        )
        for (name, image), (digest, named, _) in zip(config.images.items(), found.values(), strict=True)
    )


def _images_of(context: ReleaseContext, commit: str) -> dict[str, ImageReference]:
    """The images of an earlier release; those it did not have yet are left out."""
    config = context.config
    try:
        text = context.repository.text_at(commit, config.chart.values)
    except ReleaseError:
        return {}
    return chart.known_images(text, config.chart.values, config.image_paths)


def _chart(context: ReleaseContext, version: str, changes: Edits | None) -> ChartFacts:
    repository, file = context.repository, context.config.chart.file
    return ChartFacts(
        version=chart.read_version(repository.text_at(repository.head(), file), file),
        files=release_commit.files(context.config, version),
        is_committed=changes == {},
    )


def _lookup(
    registry: "Registry", path: str, content_tag: str, version_tag: str
) -> tuple[str | None, str | None, ReleaseError | None]:
    try:
        return registry.digest(path, content_tag), registry.digest(path, version_tag), None
    except ReleaseError as problem:
        return None, None, problem


def _environment(
    context: ReleaseContext, name: str, version: str, commit: str | None
) -> tuple[EnvironmentFacts, ReleaseError | None]:
    settings = context.config.environment(name)
    target_id, running, is_verified, is_requirement_met, problem = None, None, False, False, None
    try:
        access = context.reach(name)
        running = running_in(access)
        if commit is not None:
            with prepare(context.repository, context.config, name, version, commit) as deployment:
                target_id = deployment.id
                digests = deployment.digests
            records = access.records.read()
            is_verified = running is not None and records_of.is_revision_verified(records, running.revision)
            if settings.requires is not None:
                before = context.reach(settings.requires).records.read()
                is_requirement_met = any(
                    records_of.is_verified(found, version, digests) for found in (records, before)
                )
    except ReleaseError as error:
        problem = error
    facts = EnvironmentFacts(
        name=name,
        requires=settings.requires,
        needs_confirmation=settings.confirm,
        target_id=target_id,
        running=running,
        is_verified=is_verified,
        is_requirement_met=is_requirement_met,
    )
    return facts, problem


def _previews(
    context: ReleaseContext,
    sites: Sequence[EnvironmentFacts],
    *,
    version: str,
    commit: str | None,
    inputs: dict[str, Inputs],
    digests: dict[str, str | None],
) -> dict[str, tuple[tuple[str, ...], ReleaseError | None]]:
    """What would change in each environment, or why that cannot be said; those that are current are left
    out.
    """

    def look(site: EnvironmentFacts) -> tuple[tuple[str, ...], ReleaseError | None]:
        try:
            lines = preview(
                context, site.name, version=version, commit=commit, inputs=inputs, digests=digests
            )
        except ReleaseError as problem:
            return (), problem
        return lines, None

    waiting = [site for site in sites if not site.is_current]
    with ThreadPoolExecutor(PARALLEL_LOOKS) as pool:
        return {site.name: found for site, found in zip(waiting, pool.map(look, waiting), strict=True)}


def _last_commit(tags: dict[str, str]) -> str | None:
    released = versions.of_tags(tags)
    return tags[versions.tag_of(released[-1])] if released else None


def _distinct(problems: Sequence[ReleaseError | None]) -> tuple[ReleaseError, ...]:
    """One problem once, however many looks met it."""
    return tuple({problem.problem: problem for problem in problems if problem is not None}.values())
